# The two consoles of the demo, as data. The programs derive QEMU's arguments and the
# guest's kernel command line from it; `./result/bin/microvm-run --dry-run` prints both.
# The comments below explain them.
#
# On the host, each console is a pair of pipes, which the relay in microvm-run creates
# and reads:
#
#   -chardev pipe,id=serial0,path=…/serial/vm
#       QEMU writes to vm.out and reads from vm.in. The relay stores every byte in
#       a file, and serves the TCP port and any number of clients from that file.
#
# With `microvm-run --no-relay` QEMU serves the port itself, with the arguments below.
#
# The order matters. Each console becomes one `console=` on the kernel command
# line, in this order:
#
#   console=ttyS0,115200 console=hvc0
#
#   - The kernel prints its messages to every console in the list, from the moment
#     that the console's driver is initialized. ttyS0's driver is built into the
#     kernel, so only ttyS0 shows early boot. When hvc0's driver is initialized, the
#     kernel prints the messages that are still in its log on hvc0.
#   - The last one becomes /dev/console, which init and its scripts print to. It is
#     marked `C` in /proc/consoles.
ports: [
  # ttyS0, the serial port: an emulated 16550 UART.
  #
  #   -chardev socket,id=serial0,host=localhost,port=4440,server=on,wait=off
  #       The host's side. QEMU listens on TCP port 4440 (server=on) and starts the
  #       guest without waiting for a connection (wait=off). It serves one client at
  #       a time: a second one hangs until the first disconnects.
  #   -serial chardev:serial0
  #       The guest's side: the first UART, at the I/O port that every PC has it at.
  #
  # It works from the start. The kernel needs only an I/O port to write to it, without a
  # driver model or a bus, so that an early failure and a panic are printed there. The
  # cost is one exit to QEMU for every byte.
  #
  # While no client is connected, QEMU's own port drops the guest's output; the guest
  # does not wait. The relay drops nothing.
  {
    name = "serial";
    device = "ttyS0";
    port = ports.serial;
  }

  # hvc0, the virtio console: a device designed for virtual machines.
  #
  #   -device virtio-serial-device
  #       The virtio bus for consoles and ports, in its memory-mapped form, which the
  #       machine type `microvm` has. On `q35`, which has PCI, it is
  #       -device virtio-serial-pci.
  #   -chardev socket,id=virtcon0,host=localhost,port=4441,server=on,wait=off
  #       The host's side, as above, on TCP port 4441.
  #   -device virtconsole,chardev=virtcon0
  #       The guest's side: the first console on that bus, /dev/hvc0.
  #
  # It works later: the guest must first load virtio, the transport (virtio_mmio or
  # virtio_pci) and virtio_console, which are modules in the initrd. A guest that
  # fails before that, or whose initrd lacks one of them, prints nothing here.
  #
  # It passes buffers instead of single bytes, but is not faster everywhere: Linux passes
  # 16 bytes at a time, and without KVM ttyS0 is faster.
  #
  # QEMU (as of 10.2) cannot pass the size of a terminal's window to hvc0 over a pipe or a
  # socket. `connect-serial` and `connect-console` have the guest agent set it, on both.
  # In a guest without the agent, run `stty rows R cols C`.
  #
  # While no client is connected, QEMU's own port drops output here too. If its client
  # is slow, ttyS0 makes the guest wait, but hvc0 loses bytes: the device drops what
  # does not fit. The relay's pipe holds 1 MiB and is always drained.
  {
    name = "console";
    device = "hvc0";
    port = ports.console;
  }
]
