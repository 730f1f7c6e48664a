import { ScriptText } from '@bridgehead/shared/model/script-text.ts'
import { Selector } from '@bridgehead/shared/model/tags.ts'
import { z } from 'zod'

export const NewRun = z
  .strictObject({
    /** A bash script by id or name ... */
    script: z.string().min(1).max(100).optional(),
    /** ... or its text. */
    text: ScriptText.min(1).optional(),
    /** Hosts by selector ... */
    selector: Selector.optional(),
    /** ... or by id. */
    hosts: z.array(z.uuid()).min(1).max(10_000).optional(),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected a user name of lower-case letters, digits, _ and -')
      .default('root'),
    timeoutSeconds: z.int().min(1).max(86_400).default(600),
    /** How long the order waits for a site that is away. */
    deadlineSeconds: z.int().min(10).max(604_800).default(3600),
    /** Variables for a script's template. */
    vars: z.record(z.string(), z.string()).default({}),
  })
  .superRefine((run, context) => {
    if ((run.script === undefined) === (run.text === undefined))
      context.addIssue({ code: 'custom', path: ['script'], message: 'expected either script or text' })
    if ((run.selector === undefined) === (run.hosts === undefined))
      context.addIssue({
        code: 'custom',
        path: ['selector'],
        message: 'expected either selector or hosts (an empty selector means every host)',
      })
  })
export type NewRun = z.output<typeof NewRun>

export const RunHost = z.object({
  id: z.string(),
  host: z.string(),
  hostName: z.string().optional(),
  site: z.string(),
  state: z.enum(['queued', 'running', 'finished', 'failed', 'expired']),
  ip: z.string().optional(),
  exitCode: z.int().nullable().optional(),
  error: z.string().optional(),
  ms: z.number().optional(),
  startedAt: z.int().optional(),
  finishedAt: z.int().optional(),
  stdout: z.string().optional(),
  stderr: z.string().optional(),
})
export type RunHost = z.infer<typeof RunHost>

export const Run = z.object({
  id: z.string(),
  script: z.string().optional(),
  scriptVersion: z.int().optional(),
  selector: z.string().optional(),
  user: z.string(),
  timeoutSeconds: z.int(),
  createdBy: z.string(),
  createdAt: z.int(),
  deadline: z.int(),
  /** True once no host has anything left to do. */
  done: z.boolean(),
  counts: z.record(z.string(), z.int()),
})
export type Run = z.infer<typeof Run>
export const RunWithHosts = Run.extend({ text: z.string(), hosts: z.array(RunHost) })
