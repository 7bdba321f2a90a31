/** Writes the generated pages of docs/: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { PAGE, settingsPage } from './settings-page';

writeFileSync(PAGE, settingsPage());
