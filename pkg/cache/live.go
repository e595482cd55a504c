package cache

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// LiveKey is the stream of what changes, which the gateways read to tell the apps. It is one key, and so in one place of a
// cluster. It may be lost like all that is in this Redis; an entry LiveBegin says so.
const LiveKey = prefix + "live"

// The fields of the stream's entries: an update, or the beginning of a stream of which nobody knows what was before it.
const (
	LiveUpdate = "update"
	LiveBegin  = "begin"
)

// liveLength is about how many entries the stream keeps. One has some 300 bytes.
const liveLength = 20_000

// announceScript is one script so that no gateway reads an entry of a new stream without its beginning. It answers the
// id of the last entry.
var announceScript = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('XADD', KEYS[1], '*', '` + LiveBegin + `', '') end
for i = 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', '` + LiveUpdate + `', ARGV[i]) end
return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]`)

// Announce appends updates to the stream, or says that it could not, and answers the id of its last entry. A stream that
// is not there begins, also when there is nothing to append.
func (c *Cache) Announce(ctx context.Context, updates ...string) (last string, err error) {
	args := make([]any, 0, len(updates)+1)
	args = append(args, liveLength)
	for _, update := range updates {
		args = append(args, update)
	}
	if last, err = announceScript.Run(ctx, c.rdb, []string{LiveKey}, args...).Text(); err != nil {
		return "", fmt.Errorf("announce %d updates: %w", len(updates), err)
	}
	return last, nil
}
