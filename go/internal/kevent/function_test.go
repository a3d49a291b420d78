package kevent

import (
	"strings"
	"testing"
)

// TestHelpers tests that helpers are known by their whole names.
func TestHelpers(t *testing.T) {
	for _, name := range strings.Fields(`__list_add_valid __list_del_entry_valid_or_report memcpy_orig __memset __asan_memcpy
		strncpy_from_user _copy_from_user copy_page_to_iter rep_movs_alternative _raw_spin_lock_irqsave queued_spin_lock_slowpath
		down_read_trylock __kmalloc_noprof kvzalloc kmem_cache_free __alloc_pages alloc_pages_mpol_noprof queue_work_on __flush_work
		kfree_skbmem refcount_warn_saturate vprintk_emit devm_kasprintf nmi_panic _dev_printk fortify_panic`) {
		if !reporting.MatchString(name) && !helpers.MatchString(name) {
			t.Errorf("%s is not a helper", name)
		}
	}
	for _, name := range strings.Fields(`my_list_add my_memcpy my_strlen dev_panic btrfs_panic b_usercopy tun_get_user my_copy_to_user
		my_spin_lock my_down_read my_set_bit my_kmalloc my_slab_init my_alloc_pages my_queue_work my_flush_work my_kfree_skb
		my_kobject_release my_device_add my_readb my_printk my_sprintf my_del_timer foo_free my_refcount_inc`) {
		if reporting.MatchString(name) || helpers.MatchString(name) {
			t.Errorf("%s is a helper", name)
		}
	}
}

// TestFunction tests which function a report is about. The headlines are the kernel's, the frames invented.
func TestFunction(t *testing.T) {
	const (
		stall   = "rcu: INFO: rcu_preempt self-detected stall on CPU"
		lockup  = "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [cat:120]"
		hung    = "INFO: task cat:120 blocked for more than 122 seconds."
		asleep  = "BUG: sleeping function called from invalid context at kernel/time/timer.c:2151"
		atomic  = "BUG: scheduling while atomic: cat/120/0x00000002"
		reader  = "WARNING: CPU: 1 PID: 120 at kernel/rcu/tree_plugin.h:320 rcu_note_context_switch+0x4ee/0x650"
		ioremap = "WARNING: CPU: 0 PID: 96 at arch/x86/mm/ioremap.c:217 __ioremap_caller+0x2a6/0x320"
		vunmap  = "WARNING: CPU: 0 PID: 96 at mm/vmalloc.c:2721 __vunmap+0x2d/0x250"
		oom     = "cat invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO), order=0, oom_score_adj=0"
		exec    = "unable to execute userspace code (SMEP?) (uid: 0)"
		odebug  = "WARNING: CPU: 1 PID: 120 at lib/debugobjects.c:514 debug_print_object+0x14f/0x1f0"
		list    = "kernel BUG at lib/list_debug.c:27!"
	)
	for _, tt := range []struct{ name, headline, frames, want string }{
		{"a stall in a file of /proc", stall, "spin my_write proc_reg_write vfs_write ksys_write", "my_write"},
		{"a stall in a seq_file", stall, "spin my_show seq_read_iter proc_reg_read_iter vfs_read ksys_read", "my_show"},
		{"a lockup in a file of /sys", lockup, "spin my_store dev_attr_store sysfs_kf_write kernfs_fop_write_iter vfs_write ksys_write", "my_store"},
		{"a lockup in a file of debugfs", lockup, "spin my_set simple_attr_write_xsigned full_proxy_write vfs_write ksys_write", "my_set"},
		{"a task hangs in msleep", hung, "__schedule schedule schedule_timeout msleep my_read vfs_read", "my_read"},
		{"a task hangs in ssleep", hung, "__schedule schedule schedule_timeout msleep ssleep my_read vfs_read", "my_read"},
		{"a task hangs in usleep_range", hung, "__schedule schedule schedule_hrtimeout_range usleep_range_state my_read", "my_read"},
		{"msleep with a lock", asleep, "dump_stack_lvl __might_resched msleep my_irq handle_irq_event", "my_irq"},
		{"msleep without preemption", atomic, "dump_stack_lvl __schedule_bug __schedule schedule schedule_timeout msleep my_read", "my_read"},
		{"synchronize_rcu without preemption", atomic, "__schedule schedule __wait_rcu_gp synchronize_rcu my_exit", "my_exit"},
		{"msleep in a reader of RCU", reader, "__schedule schedule schedule_timeout msleep my_read vfs_read", "my_read"},
		{"ioremap of memory", ioremap, "ioremap my_init do_one_initcall do_init_module", "my_init"},
		{"a bad address for vfree", vunmap, "vfree my_write vfs_write ksys_write", "my_write"},
		{
			"no memory for a page of a process", oom,
			"dump_stack_lvl dump_header oom_kill_process out_of_memory __alloc_pages_slowpath __alloc_pages_noprof alloc_pages_mpol_noprof " +
				"vma_alloc_folio_noprof do_anonymous_page __handle_mm_fault", "do_anonymous_page",
		},
		{"a jump to memory of a process", exec, "?my_write ?vfs_write ?ksys_write ?do_syscall_64", "my_write"},
		{"a certain frame after another", exec, "?my_old my_write vfs_write", "my_write"},
		{"a timer that is set up twice", odebug, "debug_object_init init_timer_key my_timer_setup my_probe", "my_timer_setup"},
		{"a list, in a function whose name ends as a helper's", list, "__list_add_valid my_list_add caller_two", "my_list_add"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			log.WriteString(tt.headline + "\nCall Trace:\n")
			for _, name := range strings.Fields(tt.frames) {
				log.WriteString(" " + strings.Replace(name, "?", "? ", 1) + "+0x10/0x20\n")
			}
			events := scanPieces([]byte(log.String()), log.Len())
			if len(events) != 1 || events[0].Function != tt.want {
				t.Errorf("events %+v, want one in %q", events, tt.want)
			}
		})
	}
}
