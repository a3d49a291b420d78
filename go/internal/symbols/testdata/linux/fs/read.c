static __attribute__((__noinline__)) int check(int n)
{
	__asm__ volatile("");
	return n * n;
}

__attribute__((__noinline__)) int vfs_read(int n)
{
	int m = check(n + 1);

	if (m > 9)
		*(volatile int *)0 = m;
	return m;
}
