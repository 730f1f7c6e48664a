import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Apt } from '../engines/apt/apt.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { ConfiguredSource } from './sources/source.ts'

export type BuilderName = 'ipxe' | 'grub' | 'syslinux'
/** Places to try for a builder's source, in this order. */
export type BuilderSources = Record<BuilderName, readonly ConfiguredSource[]>

/** What every builder needs. */
export interface BuildDeps {
  bucket: Bucket
  apt: Apt
  clock: Clock
  /** `fraction` 0..1. */
  progress(fraction: number, text: string): void | Promise<void>
  log(line: string): void | Promise<void>
  signal: AbortSignal
  /** Lasts: warm trees and package lists lie here, some 2 GiB. Several processes may share it. */
  workDirectory: string
  sources: BuilderSources
}
