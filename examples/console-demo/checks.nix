# What run-test checks in this guest, once root has logged in on each console,
# beside what it checks in every one. docs/run-test.md tells what a check can be.
#
# An echo is no answer: of `run`, only what the guest's shell has printed counts.
[
  {
    # The flag C marks the console that is /dev/console: the last one.
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
    # Without their times, or the lines would pass for what the kernel prints just
    # now, which is no part of an answer.
    name = "dmesg shows the console= parameters";
    run = "dmesg | sed 's/^[^]]*] *//' | grep -i console";
    match = ''ommand line:.*console=ttyS0[^ ]* console=hvc0'';
  }
]
