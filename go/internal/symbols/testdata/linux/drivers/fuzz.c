#define __init __attribute__((__noinline__, section(".init.text")))
#define __exit __attribute__((__noinline__, section(".exit.text")))

int panic(int n);

__attribute__((__noinline__)) int fuzz_close(int n)
{
	return panic(n) - 2;
}

__attribute__((__noinline__)) int fuzz_open(int n)
{
	return panic(n) - 1;
}

__init int fuzz_init(int n)
{
	n += fuzz_open(n);
	return n * 2;
}

__exit int fuzz_exit(int n)
{
	n += fuzz_open(n);
	return n * 3;
}
