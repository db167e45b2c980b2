/** Whether stdout is a terminal that shows colours, and nobody has asked for none (`--no-color`, NO_COLOR). */
export function useColour(wanted: boolean): boolean {
  return wanted && process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}
