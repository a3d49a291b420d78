// The functions of this folder take the place of a kernel's: its bytes are never run.
#define __init __attribute__((__noinline__, section(".init.text")))

const char linux_banner[] = "Linux version 6.12.1-test (test@host) (gcc) #1 SMP Thu Jan  1 00:00:00 UTC 1970\n";

int vfs_read(int n);
int vfs_write(int n);

__attribute__((__noinline__)) int panic(int n)
{
	return vfs_read(n) + 1;
}

static inline __attribute__((always_inline)) int do_mounts(int n)
{
	n = panic(n) + 2;
	return n;
}

__init int mount_root(int n)
{
	n += 3;
	n = do_mounts(n);
	return n * 5;
}

__attribute__((__noinline__)) int kernel_init(int n)
{
	return mount_root(n) + vfs_write(n);
}
