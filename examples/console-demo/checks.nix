# What run-test checks in this guest, after root has logged in on each console, besides
# the checks that it does in every guest. docs/run-test.md describes the fields.
#
# The terminal's echo of the command in `run` does not count, only the command's output.
[
  {
    # The flag C marks the last console, which is /dev/console.
    name = "/proc/consoles lists ttyS0, hvc0 and marks hvc0";
    run = ''awk -F '[()]' '{ split($1, word, " "); print word[1], $2 ~ /C/ }' /proc/consoles | sort'';
    expect = "hvc0 1\nttyS0 0\n";
  }
  {
    name = "tty is right on ttyS0";
    console = "serial";
    run = "tty";
    match = ''^/dev/ttyS0\n$'';
  }
  {
    name = "tty is right on hvc0";
    console = "console";
    run = "tty";
    match = ''^/dev/hvc0\n$'';
  }
  {
    # run-test removes new kernel messages from the output, and knows them by their
    # timestamps. These are old messages, so sed removes the timestamps.
    name = "dmesg shows the console= parameters";
    run = "dmesg | sed 's/^[^]]*] *//' | grep -i console";
    match = ''ommand line:.*console=ttyS0[^ ]* console=hvc0'';
  }
]
