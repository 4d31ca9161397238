// `npm run demo`: everything that the example needs, on this machine, until Ctrl-C.
import {
  freePort,
  migrate,
  startGateway,
  startNext,
  startPostgres,
  startSupabase,
  variables,
} from './parts.mjs';

const parts = [];
const keep = (part) => {
  parts.unshift(part);
  return part;
};

const stop = async () => {
  for (const part of parts.splice(0)) await part.stop();
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

try {
  // Of your own, or one that is gone afterwards.
  const databaseUrl = process.env.DATABASE_URL || keep(await startPostgres()).url;
  const [port, appPort, gatewayPort] = await Promise.all([54321, 3000, 8787].map(freePort));
  const supabaseUrl = keep(await startSupabase({ databaseUrl, port })).url;
  console.log(`Supabase's stand-in: ${supabaseUrl}`);
  console.log(`rejoinder-gateway migrate: ${await migrate(databaseUrl)}`);
  const appUrl = `http://127.0.0.1:${appPort}`;
  const gateway = { databaseUrl, supabaseUrl, appUrl, port: gatewayPort };
  console.log(`the gateway: ${keep(await startGateway(gateway)).url}`);
  keep(await startNext('dev', appPort, variables({ supabaseUrl, gatewayPort })));
  console.log(
    `\nAlice and Bob chat at ${appUrl}; both have the password "rejoinder". Ctrl-C ends it.`,
  );
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
  await stop();
}
