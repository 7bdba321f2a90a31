import { readVersion } from './assets';

/** The version of ecr-deploy: that of the package which this file is a part of. */
export const VERSION = readVersion();
