# run-test must fail for each of these broken guests, with the right exit status, the
# cause, and the guest's last lines.
{ mkMicrovm, runCommand }:
let
  demoWith =
    changes:
    import ../../examples/console-demo {
      mkMicrovm = machine: mkMicrovm (machine // changes);
    };

  guests = {
    no-getty = {
      demo = demoWith { guest.gettys = [ "ttyS0" ]; };
      status = 1;
      cause = "guest: no getty runs on hvc0";
    };

    no-virtio-driver = {
      demo = demoWith {
        guest.modules = [
          "button"
          "evdev"
        ];
      };
      status = 1;
      cause = "guest: no /dev/hvc0 (is the driver loaded?)";
    };

    # Without the driver, the guest can still be shut down by its agent.
    no-power-button = {
      demo = demoWith {
        guest.modules = [
          "virtio_pci"
          "virtio_mmio"
          "virtio_console"
        ];
      };
      status = 1;
      cause = "the guest ignored the power button";
    };

    panic = {
      demo = demoWith { kernelParams = [ "rdinit=/no/such/init" ]; };
      status = 4;
      cause = "guest panicked: Kernel panic - not syncing";
    };
  };

  # The test waits for a missing login until the timeout.
  refuse =
    name: guest:
    runCommand "broken-guest-${name}" { } ''
      status=0
      ${guest.demo}/bin/run-test --timeout 30s >$out 2>&1 || status=$?
      cat $out
      for text in "${guest.cause}" 'the last lines of ttyS0'; do
        grep -qF "$text" $out || { echo "missing in the output: $text" >&2; exit 1; }
      done
      [ $status = ${toString guest.status} ] || { echo "status $status" >&2; exit 1; }
    '';
in
runCommand "broken-guests" { } ''
  cat ${toString (builtins.attrValues (builtins.mapAttrs refuse guests))} >$out
''
