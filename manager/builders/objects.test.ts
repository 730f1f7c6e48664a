import { expect, test } from 'vitest'
import { countObjects, objectOf } from './objects.ts'

for (const { line, object } of [
  { line: 'gcc -DHAVE_CONFIG_H -I. -MT lib/a.o -MD -c -o lib/a.o lib/a.c', object: 'lib/a.o' },
  { line: '/usr/bin/aarch64-linux-gnu-gcc -Os -c x.S -o x.o', object: 'x.o' },
  { line: 'gcc-12 -m32 -c -o perror.o /build/com32/lib/perror.c', object: 'perror.o' },
  { line: 'nasm -f elf -l ldlinux.lst -o ldlinux.o /build/core/ldlinux.asm', object: 'ldlinux.o' },
  { line: 'ld -m elf_i386 -o x.elf a.o b.o', object: undefined },
  { line: 'gcc -o tool a.o b.o', object: undefined },
  { line: "echo '-c -o' > a.o", object: undefined },
  { line: 'ar cq lib.a a.o', object: undefined },
])
  test(`${object ?? 'nothing'} is compiled by: ${line}`, () => expect(objectOf(line)).toBe(object))

test('each object counts, also of the same name', () => {
  const objects = countObjects()
  expect(['gcc -c -o a.o a.c', 'make[1]: x', 'gcc -c -o a.o ../b/a.c'].map((line) => objects.see(line))).toEqual([true, false, true])
  expect(objects.built).toBe(2)
})
