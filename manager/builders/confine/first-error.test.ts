import { expect, test } from 'vitest'
import { createErrorWatch } from './first-error.ts'

for (const { tool, log, message, reason = 'exit' } of [
  {
    tool: 'a compiler, before make and before later errors',
    log: [
      '  [BUILD] bin/main.o',
      'core/main.c: In function ‘main’:',
      'core/main.c:35:9: error: ‘foo’ undeclared (first use in this function)',
      'core/main.c:40:1: error: expected ‘;’',
      'make: *** [Makefile.housekeeping:937: bin/main.o] Error 1',
    ],
    message: 'core/main.c:35:9: error: ‘foo’ undeclared (first use in this function)',
  },
  {
    tool: 'a compiler that misses a header',
    log: ['kern/a.c:1:10: fatal error: grub/x.h: No such file or directory', 'compilation terminated.'],
    message: 'kern/a.c:1:10: fatal error: grub/x.h: No such file or directory',
  },
  {
    tool: 'a compiler whose warning comes first',
    log: ['a.c:1:1: warning: unused variable ‘error’ [-Wunused]', 'b.c:2:2: error: real'],
    message: 'b.c:2:2: error: real',
  },
  { tool: 'an assembler', log: ['a.S:12: Error: no such instruction: `foo`'], message: 'a.S:12: Error: no such instruction: `foo`' },
  { tool: 'nasm', log: ['diskstart.inc:9: error: symbol `x` undefined'], message: 'diskstart.inc:9: error: symbol `x` undefined' },
  {
    tool: 'a linker',
    log: ['aarch64-linux-gnu-ld: bin/blob.o: in function `f`:', "(.text+0x10): undefined reference to `g'"],
    message: 'aarch64-linux-gnu-ld: bin/blob.o: in function `f`:',
  },
  {
    tool: 'configure',
    log: ['checking for bison... no', 'configure: error: bison is not found', 'make: *** No targets specified.  Stop.'],
    message: 'configure: error: bison is not found',
  },
  { tool: 'a shell', log: ['sh: 1: nasm: not found', 'make: *** [x] Error 127'], message: 'sh: 1: nasm: not found' },
  {
    tool: 'make alone',
    log: ["make: *** No rule to make target 'bin/foo.efi'.  Stop."],
    message: "make: *** No rule to make target 'bin/foo.efi'.  Stop.",
  },
  {
    tool: 'make, which also ignored an error',
    log: ['make[1]: [Makefile:3: x] Error 2 (ignored)', 'make: *** [Makefile:9: y] Error 1'],
    message: 'make: *** [Makefile:9: y] Error 1',
  },
  { tool: 'nobody', log: ['something odd', ''], message: 'something odd' },
  { tool: 'nobody at all', log: [], message: 'make failed without a word' },
  {
    tool: 'a compiler without memory',
    log: ['cc1: out of memory allocating 65536 bytes after a total of 1 bytes'],
    reason: 'memory',
    message: 'the build used up its memory: cc1: out of memory allocating 65536 bytes after a total of 1 bytes',
  },
  {
    tool: 'a linker, in a log that also lists the names of errors',
    log: ['ENOMEM (12) => "Out of memory"', 'EFBIG (27) => "File too large"', 'ld: cannot find x.o'],
    message: 'ld: cannot find x.o',
  },
  {
    tool: 'a shell that cannot fork',
    log: ['/bin/sh: 1: Cannot fork'],
    reason: 'processes',
    message: 'the build used up its processes: /bin/sh: 1: Cannot fork',
  },
])
  test(`the first error of ${tool}`, () => {
    const watch = createErrorWatch()
    for (const line of log) watch.see(line)
    expect(watch.verdict('make')).toEqual({ reason, message })
  })

test('the last sixty lines are kept', () => {
  const watch = createErrorWatch()
  for (let line = 0; line < 100; line++) watch.see(String(line))
  expect([watch.lines.length, watch.lines[0], watch.lines.at(-1)]).toEqual([60, '40', '99'])
})
