import { Command } from 'commander';
import { reportSchema } from '../report/schema.ts';

/** `meshmend schema`: the JSON Schema of the report. */
export function schemaCommand(): Command {
  return new Command('schema').description('print the JSON Schema of the report (-o json)').action(() => {
    process.stdout.write(`${JSON.stringify(reportSchema, null, 2)}\n`);
  });
}
