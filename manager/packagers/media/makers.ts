import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { IpxeTarget } from '../../builders/ipxe/request.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { makeBundle } from './bundle/make.ts'
import type { BundleOrder } from './bundle/order.ts'
import { MediaError } from './error.ts'
import type { LocalPart } from './parts/parts.ts'
import type { MediaRecipe, MediaTarget, Output } from './recipe.ts'

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

/**
 * How each output is made; makers of one recipe run side by side. To add one: a name in `Output` (recipe.ts), the loaders that it wants in
 * `TARGETS` (plan.ts), what cannot be made in `refuseOutputs` (plan.ts), its Debian files in `parts/catalogue.ts`, and a maker here. The
 * first file of the list is the medium itself; file names begin with `inputs.name`.
 */
export const MAKERS: Record<Output, Maker> = {
  iso: notYet('iso'),
  usb: notYet('usb'),
  pi: notYet('pi'),
  pxe: notYet('pxe'),
  'secure-boot': notYet('secure-boot'),
  async bundle({ bundle, bucket, signal }) {
    if (!bundle) throw new MediaError('the bundle has no order: it is written when the recipe is sent to the API')
    const ref = await makeBundle(bundle, { bucket, signal })
    return [{ name: ref.name, ref }]
  },
}

function notYet(output: Output): Maker {
  return () => Promise.reject(new MediaError(`${output} cannot be made yet`, { field: ['outputs'] }))
}
