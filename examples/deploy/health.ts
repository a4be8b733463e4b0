// health.ts: exits with 0 while the server takes tasks.
const { ok } = await fetch(`http://localhost:${Deno.env.get("PORT") ?? 8000}/healthz`);
Deno.exit(ok ? 0 : 1);
