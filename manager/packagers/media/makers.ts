import { makeBundle } from './bundle/make.ts'
import { MediaError } from './error.ts'
import { makeIso } from './iso.ts'
import type { Maker } from './maker.ts'
import { makePi } from './pi.ts'
import { makePxe } from './pxe.ts'
import type { Output } from './recipe.ts'
import { makeSecureBoot } from './secure-boot.ts'
import { makeUsb } from './usb.ts'

/**
 * How each output is made; makers of one recipe run side by side. To add one: a name in `Output` (recipe.ts), the loaders that it wants in
 * `TARGETS` (plan.ts), what cannot be made in `refuseOutputs` (plan.ts), its Debian files in `parts/catalogue.ts`, and a maker here. The
 * first file of the list is the medium itself; file names begin with `inputs.name`.
 */
export const MAKERS: Record<Output, Maker> = {
  iso: makeIso,
  usb: makeUsb,
  pi: makePi,
  pxe: makePxe,
  'secure-boot': makeSecureBoot,
  async bundle({ bundle, bucket, signal }) {
    if (!bundle) throw new MediaError('the bundle has no order: it is written when the recipe is sent to the API')
    const ref = await makeBundle(bundle, { bucket, signal })
    return [{ name: ref.name, ref }]
  },
}
