# A machine in which KVM works on every host: QEMU emulates a processor with AMD's
# virtualization, and Linux in it has a /dev/kvm. TestKVM adds a disk and runs the other
# tests of KVM in this machine.
{ mkMicrovm }:
mkMicrovm {
  name = "kvm-host";
  machine = "q35";
  accel = "tcg";
  memoryMiB = 3072;

  # With one processor, or without nohz=off, the machine loses its timer interrupt and stops
  # while a guest runs in it.
  vcpus = 2;
  kernelParams = [ "nohz=off" ];

  # With nested page tables (+npt) a guest of QEMU 7.2 hangs now and then: KVM mistakes one
  # of its own addresses for that of the guest's page tables.
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
