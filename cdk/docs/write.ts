/** Writes what is generated from the documentation of the settings: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { PAGE, settingsPage } from './settings-page';
import { SCHEMA, settingsSchema } from './settings-schema';

writeFileSync(PAGE, settingsPage());
writeFileSync(SCHEMA, settingsSchema());
