# The smallest operating system that tests a console. It prints numbered lines from its
# first instruction on ("line 0", "line 1", ...), each byte to COM1 and to QEMU's debug
# console (port 0xe9). Then it answers each key from COM1, until a q powers it off. An e
# ends a QEMU that has -device isa-debug-exit,iobase=0xf4 with status 3.
#
#   as --32 --defsym LINES=1000 -o boot.o examples/boot-sector/boot.s
#   ld -m elf_i386 -Ttext=0x7c00 --oformat=binary -o boot.img boot.o
#   qemu-system-x86_64 -drive format=raw,if=floppy,file=boot.img -serial stdio
#
# LINES is the number of lines. With --defsym HALT=1 it powers off without a key.

	.set COM1, 0x3f8
	.set LINE_STATUS, COM1 + 5
	.set CAN_SEND, 0x20
	.set HAS_BYTE, 0x01
	.set DEBUG_CONSOLE, 0xe9
	.set DEBUG_EXIT, 0xf4
	.set PM1A_CONTROL, 0x604	# as set by SeaBIOS
	.set SOFT_OFF, 0x2000

	.code16
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $_start, %sp
	cld
	xorl %ebp, %ebp
next_line:
	movw $line, %si
	call print
	movl %ebp, %eax
	call print_number
	call end_line
	incl %ebp
	cmpl $LINES, %ebp
	jne next_line

.ifndef HALT
next_key:
	movw $LINE_STATUS, %dx
	inb %dx, %al
	testb $HAS_BYTE, %al
	jz next_key
	movw $COM1, %dx
	inb %dx, %al
	cmpb $'q', %al
	je off
	cmpb $'e', %al
	je fail
	pushw %ax
	movw $key, %si
	call print
	popw %ax
	call put
	call end_line
	jmp next_key

fail:
	movb $1, %al	# QEMU exits with 2n+1
	outb %al, $DEBUG_EXIT
	jmp next_key
.endif

off:
	movw $PM1A_CONTROL, %dx
	movw $SOFT_OFF, %ax
	outw %ax, %dx
	hlt
	jmp off

# Prints the text at %si, which ends with a zero byte.
print:
	lodsb
	testb %al, %al
	jz 1f
	call put
	jmp print
1:	ret

# Prints %eax in decimal. The digits, last one first, go through the stack.
print_number:
	movl $10, %ebx
	xorw %cx, %cx
1:	xorl %edx, %edx
	divl %ebx
	pushw %dx
	incw %cx
	testl %eax, %eax
	jnz 1b
2:	popw %ax
	addb $'0', %al
	call put
	loop 2b
	ret

end_line:
	movb $'\r', %al
	call put
	movb $'\n', %al

# Prints the byte in %al on both consoles.
put:
	movb %al, %ah
	movw $LINE_STATUS, %dx
1:	inb %dx, %al
	testb $CAN_SEND, %al
	jz 1b
	movb %ah, %al
	movw $COM1, %dx
	outb %al, %dx
	outb %al, $DEBUG_CONSOLE
	ret

line:	.asciz "line "
key:	.asciz "key "

	.org 510
	.word 0xaa55
