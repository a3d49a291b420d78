# A machine in which KVM works on every host: QEMU emulates a processor with AMD's
# virtualization, and Linux inside it has a /dev/kvm. The tests add its disk, and
# run themselves in it.
{ mkMicrovm }:
mkMicrovm {
  name = "kvm-host";
  machine = "q35";
  accel = "tcg";
  memoryMiB = 3072;

  # With one processor, or without nohz=off, the machine loses its timer and stops
  # once a guest runs in it.
  vcpus = 2;
  kernelParams = [ "nohz=off" ];

  # With nested page tables (+npt) a guest of QEMU 7.2 hangs now and then: KVM finds
  # an address of its own as that of the guest's page tables.
  qemuArgs = [
    "-cpu"
    "max,+svm,-npt"
  ];

  guest.modules = [
    "virtio_pci"
    "virtio_console"
    "virtio_blk"
    "ext4"
    "kvm_amd"
    "button"
    "evdev"
  ];
}
