# A small kernel with a Multiboot header, which QEMU and GRUB start without a disk. It prints
# its command line and its first module, each byte to COM1, to COM2 and to QEMU's debug console
# (port 0xe9). Then it answers each key from COM1, until a q powers it off.
#
#   as --32 -o kernel.o examples/multiboot/kernel.s
#   ld -m elf_i386 -Ttext=0x100000 -o kernel.elf kernel.o
#   qemu-system-x86_64 -kernel kernel.elf -append verbose -serial stdio
#
# The fields of the header and of the boot information are those of the Multiboot
# Specification 0.6.96.

	.set MAGIC, 0x1badb002
	.set FLAGS, 0
	.set HAS_COMMAND_LINE, 1 << 2
	.set COMMAND_LINE, 16
	.set HAS_MODULES, 1 << 3
	.set MODULES, 20
	.set FIRST_MODULE, 24

	.set COM1, 0x3f8
	.set COM2, 0x2f8
	.set LINE_STATUS, 5
	.set CAN_SEND, 0x20
	.set HAS_BYTE, 0x01
	.set DEBUG_CONSOLE, 0xe9
	.set PM1A_CONTROL, 0x604	# as set by SeaBIOS
	.set SOFT_OFF, 0x2000

	.text
	.align 4
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)

	.globl _start
_start:
	movl $stack, %esp
	cld
	movl %ebx, %ebp	# the boot information
	movl $hello, %esi
	call print

	testl $HAS_COMMAND_LINE, (%ebp)
	jz 1f
	movl $command_line, %esi
	call print
	movl COMMAND_LINE(%ebp), %esi
	call print
	call end_line
1:
	testl $HAS_MODULES, (%ebp)
	jz next_key
	cmpl $0, MODULES(%ebp)
	je next_key
	movl $module, %esi
	call print
	movl FIRST_MODULE(%ebp), %edi
	movl (%edi), %esi	# its first byte
2:	cmpl 4(%edi), %esi	# its end
	jae next_key
	lodsb
	call put
	jmp 2b

next_key:
	movw $COM1 + LINE_STATUS, %dx
	inb %dx, %al
	testb $HAS_BYTE, %al
	jz next_key
	movw $COM1, %dx
	inb %dx, %al
	cmpb $'q', %al
	je off
	pushl %eax
	movl $key, %esi
	call print
	popl %eax
	call put
	call end_line
	jmp next_key

off:
	movw $PM1A_CONTROL, %dx
	movw $SOFT_OFF, %ax
	outw %ax, %dx
	hlt
	jmp off

# Prints the text at %esi, which ends with a zero byte.
print:
	lodsb
	testb %al, %al
	jz 1f
	call put
	jmp print
1:	ret

end_line:
	movb $'\r', %al
	call put
	movb $'\n', %al

# Prints the byte in %al on all consoles.
put:
	outb %al, $DEBUG_CONSOLE
	movw $COM1, %bx
	call send
	movw $COM2, %bx

# Sends the byte in %al to the serial port at %bx.
send:
	movb %al, %ah
	leal LINE_STATUS(%ebx), %edx
1:	inb %dx, %al
	testb $CAN_SEND, %al
	jz 1b
	movb %ah, %al
	movw %bx, %dx
	outb %al, %dx
	ret

hello:	.asciz "a kernel started by Multiboot\r\n"
command_line:	.asciz "command line: "
module:	.asciz "module: "
key:	.asciz "key "

	.bss
	.skip 4096
stack:
