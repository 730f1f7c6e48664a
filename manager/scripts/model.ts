import { ScriptText } from '@bridgehead/shared/model/script-text.ts'
import { ArtifactRef, CpuArch, ProfileTarget, ScriptKind } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

const Name = z.string().min(1).max(100)
const Reference = z.string().min(1).max(100)

export const NewScript = z.strictObject({ name: Name, kind: ScriptKind, text: ScriptText })
export type NewScript = z.output<typeof NewScript>
/** What a PUT was made from: it is refused when there is a newer version by now. */
const base = { version: z.int().positive().optional() }
export const PutScript = NewScript.extend(base)

export const Script = z.object({
  id: z.string(),
  name: z.string(),
  kind: ScriptKind,
  version: z.int(),
  text: z.string(),
  createdAt: z.int(),
})
export type Script = z.infer<typeof Script>

const artifact = z.strictObject(ArtifactRef.shape)
const target = z.strictObject({ ...ProfileTarget.shape, kernel: artifact, initrd: artifact, image: artifact.optional() })
export const NewProfile = z.strictObject({
  name: Name,
  targets: z.partialRecord(CpuArch, target).refine((targets) => Object.keys(targets).length > 0, 'expected a target for x86_64 or arm64'),
  /** Scripts by id or name. */
  ipxe: Reference.optional(),
  postInstall: Reference.optional(),
  vars: z
    .record(z.string().regex(/^[A-Za-z_]\w{0,63}$/, 'a variable name holds letters, digits and underscores'), z.string().max(4096))
    .default({}),
})
export type NewProfile = z.output<typeof NewProfile>
export const PutProfile = NewProfile.extend(base)
/** What a version of a profile holds; scripts by id. */
export type ProfileBody = Omit<NewProfile, 'name'>

export const Profile = z.object({
  id: z.string(),
  name: z.string(),
  version: z.int(),
  targets: z.partialRecord(CpuArch, ProfileTarget),
  ipxe: z.string().optional(),
  postInstall: z.string().optional(),
  vars: z.record(z.string(), z.string()),
  createdAt: z.int(),
})
export type Profile = z.infer<typeof Profile>

export const Version = z.object({ version: z.int(), createdAt: z.int() })
