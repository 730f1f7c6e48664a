import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { IpxeTarget } from '../../builders/ipxe/request.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import type { BundleOrder } from './bundle/order.ts'
import type { LocalPart } from './parts/parts.ts'
import type { MediaRecipe, MediaTarget } from './recipe.ts'

/** A loader as a file of this machine, only to be read. */
export interface LoaderFile {
  path: string
  ref: ArtifactRef
  /** It has the script inside and needs no `autoexec.ipxe`. */
  embedded: boolean
}

/** What every maker is given. Nothing in it depends on the hour, the machine or the order of makers: equal inputs make equal bytes. */
export interface MediaInputs {
  hash: string
  /** Begins the files' names. */
  name: string
  recipe: MediaRecipe
  target: MediaTarget
  /** Text of `autoexec.ipxe`. */
  script: string
  /** By iPXE's target; only those that the plan names for the recipe's architectures and firmware. */
  loaders: ReadonlyMap<IpxeTarget, LoaderFile>
  /** Files of Debian packages (`parts/`), fetched when they are not here yet. */
  part(name: string): Promise<LocalPart>
  /** A UUID that is always the same for this recipe and this name. */
  uuid(name: string): string
  bundle?: BundleOrder | undefined
  bucket: Bucket
  /** An empty directory of this maker's own, removed afterwards. */
  workDirectory: string
  signal: AbortSignal
}

/** One finished file: on disk, in memory, or in the bucket already. */
export type MadeFile = { name: string } & ({ path: string } | { bytes: Uint8Array } | { ref: ArtifactRef })
export type Maker = (inputs: MediaInputs) => Promise<MadeFile[]>
