// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The frames that apps are shown in. The last few stay as they are behind the one that is seen, so that whoever comes back finds
// an app as it was left.

const KEPT = 4;

export class Frames {
  constructor() {
    this.place = /** @type {HTMLElement} */ (document.getElementById("frames"));
    /** @type {HTMLIFrameElement[]} the last shown comes last */
    this.frames = [...this.place.querySelectorAll("iframe")];
  }

  /** The one that is seen. */
  get current() {
    return this.frames.at(-1);
  }

  /** @param {string} app @param {string} name */
  show(app, name) {
    let frame = this.of(app);
    this.frames = this.frames.filter((other) => other !== frame);
    for (const other of this.frames) other.hidden = true;
    if (frame === undefined) {
      frame = document.createElement("iframe");
      frame.dataset.app = app;
      frame.allow = this.place.dataset.allow ?? "";
      // An address that a frame has from the beginning is no step of the history.
      frame.src = `/apps/${app}/`;
      frame.title = name;
      this.place.append(frame);
    }
    frame.hidden = false;
    this.frames.push(frame);
    if (this.frames.length > KEPT) this.frames.shift()?.remove();
    return frame;
  }

  reload() {
    reload(this.current);
  }

  /** An app does something else now: where a page of ours stands in for it, that page is out of date. @param {string} app */
  changed(app) {
    const frame = this.of(app);
    if (standsIn(frame)) reload(frame);
  }

  /** Those of apps that are gone will not be asked for again. @param {(app: string) => boolean} isThere */
  clear(isThere) {
    const [seen, gone] = [this.current, (/** @type {HTMLIFrameElement} */ frame) => !isThere(frame.dataset.app ?? "")];
    for (const frame of this.frames.filter((frame) => frame !== seen && gone(frame))) frame.remove();
    this.frames = this.frames.filter((frame) => frame === seen || !gone(frame));
  }

  /** @param {string} app */
  of(app) {
    return this.frames.find((frame) => frame.dataset.app === app);
  }
}

/** @param {HTMLIFrameElement | undefined} frame */
function standsIn(frame) {
  return frame?.contentDocument?.querySelector('meta[name="generator"][content="Lithouse"]') != null;
}

/** @param {HTMLIFrameElement | undefined} frame */
function reload(frame) {
  frame?.contentWindow?.location.reload();
}
