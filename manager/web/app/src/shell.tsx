import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  Menu,
  Modal,
  NavLink,
  type NavLinkProps,
  ScrollArea,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createLink, Navigate, Outlet, useRouterState } from '@tanstack/react-router'
import { type ComponentPropsWithRef, useState } from 'react'
import { ApiProblem } from './api/problem.ts'
import { sessionQuery } from './api/queries.ts'
import { LiveState, useLive } from './live.ts'
import { Link } from './parts/link.tsx'
import { SignInForm } from './parts/sign-in-form.tsx'
import { useSignedOut } from './parts/signed-out.ts'
import { Status } from './parts/status.tsx'
import classes from './shell.module.css'

const NAVIGATION = [
  ['/', 'Overview'],
  ['/sites', 'Sites'],
  ['/hosts', 'Hosts'],
  ['/runs', 'Runs'],
  ['/scripts', 'Scripts'],
  ['/profiles', 'Profiles'],
  ['/media', 'Media'],
  ['/updates', 'Updates'],
  ['/keys', 'Keys'],
] as const
const FOR_ADMINS = [
  ['/members', 'Members'],
  ['/audit', 'Audit log'],
] as const
const NavigationLink = createLink((props: NavLinkProps & ComponentPropsWithRef<'a'>) => <NavLink component="a" {...props} />)

/** The frame of every page behind the sign-in. */
export function Shell() {
  const me = useQuery(sessionQuery)
  const [here] = useState(() => location.pathname + location.search) // once: it changes while the sign-in is on its way
  if (me.error instanceof ApiProblem && me.error.status === 401 && me.data === undefined)
    return <Navigate to="/signin" search={{ next: here }} />
  if (me.data === undefined) return null
  return <Frame name={me.data.user.name} organisation={me.data.organisation.name} admin={me.data.scopes.includes('admin')} />
}

function Frame({ name, organisation, admin }: { name: string; organisation: string; admin: boolean }) {
  const [opened, { toggle, close }] = useDisclosure(false)
  const signedOut = useSignedOut()
  const live = useLive(signedOut)
  const queries = useQueryClient()
  const path = useRouterState({ select: (state) => state.location.pathname })
  return (
    <LiveState value={live}>
      <a href="#content" className={classes.skip}>
        Skip to the page
      </a>
      <AppShell header={{ height: 52 }} navbar={{ width: 200, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="lg">
        <AppShell.Header px="md">
          <Group h="100%" justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap">
              <Burger
                opened={opened}
                onClick={toggle}
                hiddenFrom="sm"
                size="sm"
                aria-label={opened ? 'Close navigation' : 'Open navigation'}
              />
              <Link to="/" underline="never" c="inherit" fw={600} display="flex" style={{ alignItems: 'center', gap: 8 }}>
                <img src="/bridgehead.svg" width="26" height="26" alt="" />
                Bridgehead
              </Link>
            </Group>
            <Group gap="md" wrap="nowrap">
              <span role="status">
                <Status tone={live === 'open' ? 'ok' : 'attention'}>{live === 'open' ? 'live' : 'connection lost, trying again'}</Status>
              </span>
              <AccountMenu name={`${name}, ${organisation}`} />
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs" component={ScrollArea}>
          <nav aria-label="Main">
            {[...NAVIGATION, ...(admin ? FOR_ADMINS : [])].map(([to, label]) => (
              <NavigationLink key={to} to={to} label={label} onClick={close} active={to === '/' ? path === '/' : path.startsWith(to)} />
            ))}
            <NavLink href="/api/v1/reference" label="API reference" />
          </nav>
        </AppShell.Navbar>
        <AppShell.Main maw={1500} id="content" className={classes.page} tabIndex={-1}>
          <Outlet />
        </AppShell.Main>
      </AppShell>
      <Modal opened={signedOut} onClose={() => {}} withCloseButton={false} closeOnEscape={false} title="Your session has ended">
        <Text size="sm" mb="md">
          Sign in again to go on; what you typed on this page is still here.
        </Text>
        <SignInForm done={() => queries.invalidateQueries()} />
      </Modal>
    </LiveState>
  )
}

function AccountMenu({ name }: { name: string }) {
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light')
  const signOut = async () => {
    await fetch('/api/v1/session/signout', { method: 'POST' })
    location.assign('/signin') // nothing of the session stays in memory
  }
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label="Account">
          <svg width="18" height="18" viewBox="0 0 18 18" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden="true">
            <circle cx="9" cy="6" r="3.2" />
            <path d="M2.5 16c.6-3.4 3.2-5 6.5-5s5.9 1.6 6.5 5" />
          </svg>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{name}</Menu.Label>
        <Menu.Item onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}>
          {scheme === 'dark' ? 'Light colours' : 'Dark colours'}
        </Menu.Item>
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
