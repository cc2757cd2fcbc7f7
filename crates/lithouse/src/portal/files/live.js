// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Keeps looking whether the list has changed, while somebody can see it. An unchanged list costs the server next to nothing.

const SOONEST = 2_000;
const LATEST = 10_000;
/** More apps, more change, and more of each change to fetch. */
const PER_APP = 8;
/** How the pause grows from look to look, as long as nothing happens. */
const CALM = 1.15;
const PATIENCE = 15_000;

export class Live {
  /**
   * @param {(html: string) => number} take gets a list that has changed, and answers how many apps it has
   * @param {(is: boolean) => void} lost is told whether the server does not answer
   */
  constructor(take, lost) {
    this.take = take;
    this.lost = lost;
    this.tag = "";
    this.count = 0;
    this.failures = 0;
    this.unchanged = 0;
    /** @type {number | undefined} */
    this.timer = undefined;
    /** @type {Promise<void> | undefined} */
    this.looking = undefined;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.look()));
    addEventListener("pageshow", (event) => event.persisted && this.look());
    addEventListener("online", () => this.look());
  }

  rest() {
    clearTimeout(this.timer);
  }

  /** Looks now, and from now on. */
  look() {
    this.rest();
    this.looking ??= this.ask().finally(() => {
      this.looking = undefined;
      if (!document.hidden) this.timer = setTimeout(() => this.look(), this.pause());
    });
    return this.looking;
  }

  pause() {
    const usual = Math.min(LATEST, (SOONEST + PER_APP * this.count) * CALM ** this.unchanged);
    return Math.min(3 * LATEST, usual * 2 ** Math.min(this.failures, 4));
  }

  async ask() {
    try {
      const headers = this.tag ? { "if-none-match": this.tag } : undefined;
      const answer = await fetch("/portal/apps", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      const html = await answer.text();
      this.unchanged = answer.status === 304 ? this.unchanged + 1 : 0;
      if (answer.status === 200) {
        this.count = this.take(html);
        this.tag = answer.headers.get("etag") ?? "";
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      this.failures = 0;
    } catch {
      // Whoever leaves the page ends its requests; the second time it is the server.
      this.failures += 1;
    }
    this.lost(this.failures >= 2);
  }
}
