/** A number and what it counts: `1 policy`, `2 policies`. The form for several is the other one with an s unless it is given. */
export function counted(number: number, one: string, several = `${one}s`): string {
  return `${number} ${number === 1 ? one : several}`;
}
