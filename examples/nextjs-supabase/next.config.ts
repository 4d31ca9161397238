import { join } from 'node:path';
import type { NextConfig } from 'next';

const config: NextConfig = {
  // Only because this example takes `@rejoinder/client` from the folder beside it. With the package
  // from npm nothing needs to be configured.
  turbopack: { root: join(import.meta.dirname, '../..') },
};

export default config;
