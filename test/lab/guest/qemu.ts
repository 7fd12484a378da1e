import type { GuestOptions } from '../guest.js';
import { releaseOf, timekeepingWords } from './bz-image.js';

/** Host directories that the guest mounts by these tags. */
export interface Shares {
  readonly control: string;
  readonly out?: string;
  readonly checkout?: string;
}

/** QEMU's command line: no disk and no network, the host's root by 9p, the command's output on stdout. */
export function qemuArguments(
  options: GuestOptions,
  shares: Shares,
  initramfs: string,
  consoleFile: string,
): string[] {
  const { kernel, memory = 2048, cpus = 2, accelerator = 'tcg', append = '', init = 'lab' } = options;
  const systemd = init === 'systemd' ? 'systemd.unit=lab.service fstab=no systemd.show_status=no' : '';
  // Left to itself the kernel distrusts the emulated TSC and reads the HPET, at twice the price of each time stamp.
  // A panic ends the guest at once: panic=-1 reboots and -no-reboot makes that the end.
  const commandLine = [
    `console=ttyS0 panic=-1 tsc=reliable quiet loglevel=6 lab.init=${init}`,
    ...[systemd, timekeepingWords(releaseOf(kernel)), append],
  ]
    .join(' ')
    .trim();
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-cpu', 'max', '-smp', `${cpus}`, '-m', `${memory}`],
    ...['-accel', accelerator === 'tcg' ? 'tcg,thread=multi' : accelerator],
    ...['-kernel', kernel, '-initrd', initramfs, '-append', commandLine],
    ...['-serial', `file:${consoleFile}`],
    // The emulated UART takes an exit per character; a port takes one per buffer.
    ...['-device', 'virtio-serial-pci', '-chardev', 'stdio,id=output,signal=off'],
    ...['-device', 'virtserialport,chardev=output,name=lab.output'],
    ...share('root', '/', true),
    ...share('control', shares.control, false),
    ...(shares.out === undefined ? [] : share('out', shares.out, false)),
    ...(shares.checkout === undefined ? [] : share('checkout', shares.checkout, true)),
  ];
}

function share(tag: string, directory: string, readonly: boolean): string[] {
  // QEMU's option parser reads a doubled comma as one.
  const path = directory.replaceAll(',', ',,');
  // Several host file systems under one share would otherwise give two files one inode number.
  const options = `local,id=${tag},path=${path},security_model=none,multidevs=remap,readonly=${readonly ? 'on' : 'off'}`;
  return ['-fsdev', options, '-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}
