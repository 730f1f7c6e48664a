import { TextInput, type TextInputProps } from '@mantine/core'
import { readSelector } from './selector.ts'
import classes from './selector-input.module.css'

/** A field for a selector; what is wrong with it is said below, with its place marked. */
export function SelectorInput({ value = '', error, ...props }: Omit<TextInputProps, 'value'> & { value?: string }) {
  const { wrong } = readSelector(value)
  return <TextInput spellCheck={false} {...props} value={value} error={wrong ? <Wrong text={value} {...wrong} /> : error} />
}

function Wrong({ text, why, at }: { text: string; why: string; at: number }) {
  return (
    <>
      {why}
      <span className={classes.line}>
        {text.slice(0, at)}
        <mark className={classes.place}>{text.slice(at, at + 1) || '\u00a0'}</mark>
        {text.slice(at + 1)}
      </span>
    </>
  )
}
