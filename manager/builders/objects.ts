/** Follows a make by the compilers that it starts. */
export interface ObjectCount {
  /** True when this line began a new object. */
  see(line: string): boolean
  readonly built: number
}

/** A compiler's or assembler's line that makes one object: `gcc ... -c -o x.o x.c`, `nasm -f elf -o x.o ...`. */
const OBJECT = /^\s*(?:\S*\/)?(?:\S+-)?(?:gcc|cc|g\+\+|nasm)(?:-\d+)?\s.*?(?:-o\s*|\s)(\S+\.o)(?=\s|$)/

export function objectOf(line: string): string | undefined {
  if (!/\s-c\s|^\s*(\S*\/)?nasm\s/.test(line)) return undefined
  return OBJECT.exec(line)?.[1]
}

/** Counts each line that compiles; the same name in another directory is another object. */
export function countObjects(): ObjectCount {
  let built = 0
  return {
    see(line) {
      if (objectOf(line) === undefined) return false
      built++
      return true
    },
    get built() {
      return built
    },
  }
}
