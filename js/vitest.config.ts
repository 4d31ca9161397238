import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const built = (name: string) => fileURLToPath(new URL(`./dist/${name}`, import.meta.url));

export default defineConfig({
  // Tests import `src`; what the build generates beside it comes from `dist`.
  resolve: {
    alias: [
      { find: /^\.\/rejoinder\.js$/, replacement: built('rejoinder.js') },
      { find: /^\.\/inlineBytes\.js$/, replacement: built('inlineBytes.js') },
    ],
  },
  test: {
    include: ['tests/**/*.test.{ts,tsx}'],
    environment: 'happy-dom',
    // The core is one instance per page; a file is a page.
    isolate: true,
  },
});
