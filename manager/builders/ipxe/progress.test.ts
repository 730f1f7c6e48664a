import { expect, test } from 'vitest'
import { createMakeProgress } from './progress.ts'

const run = (lines: readonly string[], wish: Parameters<typeof createMakeProgress>[0]) => {
  const progress = createMakeProgress(wish)
  const steps = lines.flatMap((line) => progress.see(line) ?? [])
  return { steps, objects: progress.objects }
}
const lines = (step: string, count: number) => Array.from({ length: count }, (_, index) => `  [${step}] bin/${step}${index}.o`)

test('objects are counted against those of an earlier build', () => {
  const { steps, objects } = run([...lines('DEPS', 10), ...lines('BUILD', 5)], { known: 20, sources: 10, warm: false })
  expect(steps.at(-1)).toEqual({ fraction: 0.95 * (0.2 + 0.8 * 0.25), text: '5 of 20 objects' })
  expect(objects).toBe(5)
})

test('a first build counts the files it has read, each once', () => {
  const { steps } = run([...lines('DEPS', 10), ...lines('DEPS', 10), ...lines('BUILD', 5)], { known: undefined, sources: 10, warm: false })
  expect(steps.at(-1)).toEqual({ fraction: 0.95 * (0.2 + 0.8 * 0.5), text: '5 of 10 objects' })
})

test('it never goes back, and never says that it is done', () => {
  const all = [...lines('BUILD', 3), ...lines('DEPS', 50), ...lines('BUILD', 90), '  [AR] bin/blib.a', '  [FINISH] bin/ipxe.lkrn']
  const { steps } = run(all, { known: 40, sources: 20, warm: false })
  const fractions = steps.map((step) => step.fraction)
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
  expect(fractions.at(-1)).toBeLessThan(1)
})

test('a warm tree tells its steps', () => {
  const { steps } = run(['  [BUILD] bin/embedded.o', '  [LD] bin/undionly.kpxe.tmp', 'rm bin/x'], { known: 1000, sources: 900, warm: true })
  expect(steps.map((step) => step.text)).toEqual(['build bin/embedded.o', 'ld bin/undionly.kpxe.tmp'])
})
