const MORE = /^… and (\d+) more$/;

/** The texts, of which there may be too many: then the first ones and `… and 12 more`. `max` counts that one too. */
export function shortened(texts: readonly string[], max: number): readonly string[] {
  return texts.length <= max ? texts : [...texts.slice(0, max - 1), moreText(texts.length - max + 1)];
}

/** What stands for texts that were left out. */
export function moreText(count: number): string {
  return `… and ${count} more`;
}

/** How many texts a list stands for that `shortened` made. */
export function fullLength(texts: readonly string[]): number {
  const more = MORE.exec(texts.at(-1) ?? '')?.[1];
  return more === undefined ? texts.length : texts.length - 1 + Number(more);
}
