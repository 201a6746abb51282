/**
 * `belfry/conformance`: what adapter authors need to prove that a database is a storage. The conformance kit has a case
 * for every sentence of the port; the differential test compares a storage with the memory storage over random calls.
 *
 * @module
 */

export { type DifferentialOptions, type DifferentialReport, storageDifferential } from "../differential/mod.ts";
export { type ConformanceOptions, type ConformanceTarget, storageConformance, type TestFunction } from "./kit.ts";
