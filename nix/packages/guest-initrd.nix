# The demo's guest image: busybox with a login on both consoles.
{ mkGuestInitrd }:
mkGuestInitrd {
  hostname = "console-demo";
  files = [
    {
      path = "/etc/motd";
      mode = "0644";
      text = ''
        Try these on both consoles:
          cat /proc/consoles            which consoles the kernel prints to
          dmesg | grep -i console       how they came up
          tty                           which one you are on
          echo "Hello from $(tty)" > /dev/ttyS0
          echo "Hello from $(tty)" > /dev/hvc0
      '';
    }
  ];
}
