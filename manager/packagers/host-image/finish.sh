#!/bin/sh
# Turns the unpacked system into a disk's root file system. Runs as mmdebstrap's customize hook: outside the new root ($1),
# but inside mmdebstrap's mount (and, without root, user) namespace, where files have the owners they shall have.
# Reads OUT, ROOT_OFFSET (bytes), SIZE_MIB (0: as small as fits), PARTUUID, FS_UUID, CMDLINE, LANG_NAME, TIMEZONE, SOURCES, EPOCH.
# Leaves in OUT: disk.raw (its root partition filled), facts (KEY=value lines), packages, modules.tar, vmlinuz.
set -eu
umask 022
root=$1
in_root() { chroot "$root" "$@"; }
step() { echo "bridgehead: $*" >&2; }

step 'settings'
version=$(ls "$root/lib/modules" | sort -V | tail -n 1)
for link in vmlinuz initrd.img; do
  [ -e "$root/$link" ] || ln -sf "boot/$link-$version" "$root/$link"
  [ -e "$root/$link" ] || { echo "no /boot/$link-$version in the new system" >&2; exit 1; }
done
sed -i "s|@CMDLINE@|$CMDLINE|" "$root/boot/grub/grub.cfg"
printf 'PARTUUID=%s / ext4 errors=remount-ro 0 1\n' "$PARTUUID" >"$root/etc/fstab"
echo bridgehead-host >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
printf 'LANG=%s\n' "$LANG_NAME" >"$root/etc/default/locale"
if [ "$LANG_NAME" != C.UTF-8 ]; then
  echo "$LANG_NAME ${LANG_NAME#*.}" >>"$root/etc/locale.gen"
  in_root locale-gen
fi
if [ "$TIMEZONE" != Etc/UTC ]; then
  [ -f "$root/usr/share/zoneinfo/$TIMEZONE" ] || { echo "timezone: the archive's tzdata has no $TIMEZONE" >&2; exit 1; }
  ln -sf "/usr/share/zoneinfo/$TIMEZONE" "$root/etc/localtime"
fi
install -d -m 0700 "$root/root/.ssh"
install -d -m 0755 "$root/etc/bridgehead"
in_root systemctl -q enable systemd-networkd.service ssh.service bridgehead-host-keys.service bridgehead-grow.service \
  bridgehead-phone-home.service bridgehead-resolv.path
# Timers that would load a machine in its first minutes, or for nothing: the operator decides about upgrades.
for timer in apt-daily apt-daily-upgrade e2scrub_all man-db; do
  [ ! -e "$root/lib/systemd/system/$timer.timer" ] || in_root systemctl -q disable "$timer.timer"
done
[ ! -e "$root/lib/systemd/system/e2scrub_reap.service" ] || in_root systemctl -q disable e2scrub_reap.service
# Mounts and records that nothing of the base system reads, five consoles where no D-Bus is, and what belongs to other boot
# loaders or disks. Each costs a part of a second on a slow machine; "systemctl unmask" brings any of them back.
in_root systemctl -q mask getty-static.service systemd-update-utmp-runlevel.service sys-kernel-debug.mount \
  sys-kernel-tracing.mount sys-fs-fuse-connections.mount systemd-repart.service
mkdir -p "$root/etc/systemd/system-generators"
for generator in bless-boot gpt-auto hibernate-resume rc-local run system-update integritysetup veritysetup; do
  ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
done

step 'cleaning'
in_root apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id
find "$root/var/log" -xdev -type f -delete
: >"$root/etc/machine-id"
cp "$SOURCES" "$root/etc/apt/sources.list.d/debian.sources"
rm -f "$root/etc/resolv.conf"
ln -s /run/bridgehead/resolv.conf "$root/etc/resolv.conf"

# systemd would otherwise take the first boot for the one after an upgrade of /usr, and rebuild its caches.
touch -r "$root/usr" "$root/etc/.updated" "$root/var/.updated"

step 'kernel and modules'
cp -L "$root/vmlinuz" "$OUT/vmlinuz"
tar -C "$root" -cf "$OUT/modules.tar" "lib/modules/$version" 2>/dev/null || tar -C "$root/usr" -cf "$OUT/modules.tar" "lib/modules/$version"
dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${Version}\n' >"$OUT/packages"

step 'file system'
# A bind mount shows the root alone, without the /proc, /sys and /dev that are mounted in it meanwhile.
view=$OUT/view
mkdir "$view"
mount --bind "$root" "$view"
trap 'umount "$view/run" "$view/tmp" "$view" 2>/dev/null || true' EXIT
mkdir -p "$view/dev" "$view/proc" "$view/sys" "$view/run" "$view/tmp"
# Hidden, not emptied: mmdebstrap's own apt settings lie in /tmp, and without them its next apt would work on this machine.
mount -t tmpfs -o mode=1777 tmp "$view/tmp"
mount -t tmpfs -o mode=0755 run "$view/run"
used=$(du -sm -x "$view" | cut -f 1)
size=$SIZE_MIB
# Room for inode tables, the journal, and what the first boot writes before the file system grows.
[ "$size" -gt 0 ] || size=$((used + used / 16 + 112))
[ "$size" -ge $((used + 96)) ] || { echo "sizeMiB: the system alone takes $used MiB; expected at least $((used + 64))" >&2; exit 1; }
: >"$OUT/disk.raw"
truncate -s $((ROOT_OFFSET + size * 1048576)) "$OUT/disk.raw"
# The journal must hold a whole group table in one transaction (resize2fs: "wants too many credits").
# GRUB 2.06 reads neither orphan_file nor metadata_csum_seed. resize: room in the group table for growing to 8 TiB.
mke2fs -q -F -t ext4 -b 4096 -m 1 -L root -U "$FS_UUID" -O '^orphan_file,^metadata_csum_seed' \
  -J size=64 -E "offset=$ROOT_OFFSET,resize=2147483648,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0,hash_seed=$FS_UUID" \
  -d "$view" "$OUT/disk.raw" "${size}M"
umount "$view/run" "$view/tmp" "$view"
trap - EXIT
rmdir "$view"
printf 'KERNEL_VERSION=%s\nUSED_MIB=%s\nROOT_MIB=%s\n' "$version" "$used" "$size" >"$OUT/facts"
chmod 0666 "$OUT/disk.raw"
chmod 0644 "$OUT/vmlinuz" "$OUT/modules.tar" "$OUT/packages" "$OUT/facts"
step 'done'
