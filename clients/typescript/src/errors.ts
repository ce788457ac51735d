/** What goes wrong: one class, with what a program and a person need to know. */

import type { components } from "./schema.js";

type Problem = components["schemas"]["Problem"];
export type FieldProblem = components["schemas"]["FieldProblem"];

/** The server answered with a problem (RFC 9457), or did not answer. */
export class NitariError extends Error {
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** A stable word for programs; `unreachable` where there was no answer. */
  readonly code: string;
  /** What to do about it; may be empty. */
  readonly remedy: string;
  /** One for each field at fault; may be empty. */
  readonly errors: readonly FieldProblem[];

  constructor(
    detail: string,
    about: {
      status: number;
      code: string;
      remedy?: string | undefined;
      errors?: readonly FieldProblem[] | undefined;
      cause?: unknown;
    },
  ) {
    super(detail, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = "NitariError";
    this.status = about.status;
    this.code = about.code;
    this.remedy = about.remedy ?? "";
    this.errors = about.errors ?? [];
  }

  /** What was found and what was expected: the message, by its name in the problem document. */
  get detail(): string {
    return this.message;
  }
}

/** The error for an answer that is not a success, whoever gave it: a proxy's HTML page gets a message too. */
export function errorOf(status: number, body: unknown): NitariError {
  if (isProblem(body)) {
    return new NitariError(body.detail, { status, code: body.code, remedy: body.remedy, errors: body.errors });
  }
  return new NitariError(`the answer is ${status} without a problem document`, {
    status,
    code: "answer",
    remedy: "see whether baseUrl names a Nitari server, or a proxy in front of it answers in its place",
  });
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "detail" in body && "code" in body;
}
