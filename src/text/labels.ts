/** Whether labels hold all that are wanted, as selectors by equality ask; nothing wanted is held by all. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
