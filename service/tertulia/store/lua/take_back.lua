-- Delete the messages that a sender has left for an account.
--
-- KEYS  1 meta   2 list   3 mailbox   4 senders
-- ARGV  1 the sender, folded
-- Returns how many messages were deleted

if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local box = pending().open_box(KEYS[3], KEYS[4], ARGV[1])
local its = box.of[ARGV[1]]
pending().count_out(box, its)
write('UNLINK', KEYS[2])
pending().save_box(box, { [ARGV[1]] = false }, its.messages)
return done(its.messages)
