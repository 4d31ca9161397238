import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // The package is linked from this repository and brings a React of its own for its tests; a page
  // must have one React only.
  resolve: { dedupe: ['react', 'react-dom'] },
  // Inlined files would be `data:` URLs, which the gateway's Content-Security-Policy forbids.
  build: { target: 'es2022', assetsInlineLimit: 0 },
  // `npm run dev`: the page comes from Vite, the messages from a gateway started beside it.
  server: {
    proxy: { '/ws': { target: 'ws://127.0.0.1:8787', ws: true } },
    // The package, with its .wasm file, lies outside of this folder.
    fs: { allow: ['../..'] },
  },
});
