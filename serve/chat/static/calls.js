// Calls of the page's own routes. Whatever fails is told in words.

export const UNREACHABLE = "The server cannot be reached. Your question is kept here: ask it when the server is back.";

/** A failure in words; `code` is the server's short word, or "unreachable". */
export class Failure extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

export async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch {
    throw new Failure(UNREACHABLE, "unreachable");
  }
  const json = answer.headers.get("content-type")?.includes("json");
  const said = json ? await answer.json() : await answer.text();
  if (answer.ok) return said;
  const error = said.error ?? {};
  throw new Failure(error.message ?? "The server could not do that. Try again in a moment.", error.code ?? "unknown");
}
