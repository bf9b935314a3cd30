/* SPDX-License-Identifier: Apache-2.0 */
// All that the programs use of Node itself.
declare module 'node:fs' {
    export function readFileSync(file: number, encoding: 'utf8'): string;
}
