// SPDX-License-Identifier: Apache-2.0
// The counter of a session: where it goes on, the session is the same.

/** Counts once more, and waits until the page says so. */
export async function countTo(page, number) {
  await page.getByRole("button", { name: "Count up" }).click();
  await page.getByText(`count is ${number}`, { exact: true }).waitFor();
}
