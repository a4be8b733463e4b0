/**
 * A registry that takes one package from `deno publish`, and serves it to programs as JSR would.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** What is needed of the deno.json that is published. */
interface Config {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
}

type Files = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Programs reach it through `JSR_URL`. It has no other packages. */
export class LocalJsr {
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => this.#answer(request));
  #files: Files = new Map();

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Publishes the package of a folder. */
  async publish(folder: string): Promise<void> {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["publish", "--token", "any", "--no-provenance", "--allow-dirty", "--no-check", "--no-lock"],
      cwd: folder,
      env: { JSR_URL: this.url, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }

  close(): void {
    void this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === "POST" && request.body) {
      this.#files = await unpack(request.body);
      return Response.json({ id: "1", status: "success" });
    }
    // Whether the package exists is asked with its name alone; of all its versions none does yet.
    if (pathname.startsWith("/api/")) return Response.json({}, { status: pathname.includes("/versions/") ? 404 : 200 });
    const body = this.#read(pathname);
    return new Response(body, { status: body === undefined ? 404 : 200 });
  }

  #read(path: string): BodyInit | undefined {
    const config = this.#files.get("/deno.json");
    if (config === undefined) return undefined;
    const { name, version, exports }: Config = JSON.parse(new TextDecoder().decode(config));
    if (path === `/${name}/meta.json`) return JSON.stringify({ latest: version, versions: { [version]: {} } });
    if (path === `/${name}/${version}_meta.json`) return JSON.stringify({ manifest: manifestOf(this.#files), exports });
    return path.startsWith(`/${name}/${version}/`)
      ? this.#files.get(path.slice(`/${name}/${version}`.length))
      : undefined;
  }
}

function manifestOf(files: Files): object {
  return Object.fromEntries([...files].map(([path, bytes]) => {
    const checksum = `sha256-${createHash("sha256").update(bytes).digest("hex")}`;
    return [path, { size: bytes.length, checksum }];
  }));
}

/** The files of a tar archive: each is a block of 512 bytes with its path and size, and then its bytes, in whole blocks. */
async function unpack(zipped: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Files> {
  const archive = await new Response(zipped.pipeThrough(new DecompressionStream("gzip"))).bytes();
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let at = 0; archive[at];) {
    const text = (from: number, length: number) =>
      new TextDecoder().decode(archive.subarray(at + from, at + from + length)).replace(/\0[\s\S]*$/, "");
    const size = parseInt(text(124, 12), 8);
    files.set(`/${text(0, 100)}`, archive.slice(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
