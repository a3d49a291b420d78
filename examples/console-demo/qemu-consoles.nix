# The two consoles of the demo, as data. The programs make QEMU's arguments and
# the guest's kernel command line of it; `./result/bin/microvm-run --dry-run`
# prints both. Below is what they make, and why.
#
# The host's end of each is a pair of pipes, made and drained by the relay in
# microvm-run:
#
#   -chardev pipe,id=serial0,path=…/serial/vm
#       QEMU writes to vm.out and reads from vm.in. The relay keeps every byte in
#       a file, and serves the TCP port and any number of clients from there.
#
# With `microvm-run --no-relay` QEMU serves the port itself, as shown below.
#
# The order matters. Each console becomes one `console=` on the kernel command
# line, in this order:
#
#   console=ttyS0,115200 console=hvc0
#
#   - The kernel prints its messages to every console that is listed, from the
#     moment that console's driver is there. ttyS0's driver is built into the
#     kernel, so early boot is seen on ttyS0 only. When hvc0's driver comes, the
#     kernel repeats on it what it still has in its log.
#   - The last one becomes /dev/console: where init and its scripts print, and
#     the one marked `C` in /proc/consoles.
ports: [
  # ttyS0, the serial port: an emulated 16550 UART.
  #
  #   -chardev socket,id=serial0,host=localhost,port=4440,server=on,wait=off
  #       The host's end. QEMU listens on TCP port 4440 (server=on) and starts the
  #       guest without waiting for anybody to connect (wait=off). It serves one
  #       client at a time: a second one hangs until the first leaves.
  #   -serial chardev:serial0
  #       The guest's end: the first UART, at the I/O port where every PC has it.
  #
  # It is there at once. The kernel needs no driver model and no bus to write to
  # it, only an I/O port, which is why a boot that fails early and a kernel panic
  # still reach it. The price is one exit to QEMU for every byte.
  #
  # With nobody connected, QEMU's own port drops what the guest prints; the guest
  # does not wait. The relay drops nothing.
  {
    name = "serial";
    device = "ttyS0";
    port = ports.serial;
  }

  # hvc0, the virtio console: a device made for virtual machines.
  #
  #   -device virtio-serial-device
  #       The virtio bus for consoles and ports, in its memory-mapped form: that is
  #       what the machine type `microvm` has. On `q35`, which has PCI, it is
  #       -device virtio-serial-pci.
  #   -chardev socket,id=virtcon0,host=localhost,port=4441,server=on,wait=off
  #       The host's end, as above, on TCP port 4441.
  #   -device virtconsole,chardev=virtcon0
  #       The guest's end: the first console on that bus, /dev/hvc0.
  #
  # It comes later: the guest must first load virtio, the transport (virtio_mmio or
  # virtio_pci) and virtio_console, which are modules in the initrd. A guest that
  # dies before that, or whose initrd lacks one, prints nothing here.
  #
  # It passes buffers instead of single bytes, but do not expect it to be faster
  # everywhere: Linux hands it 16 bytes at a time, and without KVM ttyS0 wins.
  # Nor does a window's size reach the guest over a socket; run `stty rows R cols C`.
  #
  # With nobody connected, QEMU's own port drops output here too. And where its
  # client is slow, ttyS0 makes the guest wait while hvc0 loses bytes: the device
  # drops what does not fit. The relay's pipe holds 1 MiB and is always drained.
  {
    name = "console";
    device = "hvc0";
    port = ports.console;
  }
]
