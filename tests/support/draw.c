#include "tests/support/draw.h"

#include "common/resp.h"
#include <stdio.h>
#include <string.h>

enum { KEYS = 24, WORDS_MAX = 24 };
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* What is drawn: words in capitals as they are, and
 *   k a key, j another of the same slot, v a value, w a short value, i an integer, f a float, o an
 * offset s seconds, m milliseconds (from now, large), a and b the same as a moment, p a moment that
 * has passed, n the offset of a bit, x a bit, y a type of BITFIELD, h a hash, l a list, t a set, z a
 * sorted set, r one whose scores are 0, q a stream (for all: one of few of the slot), d a field or
 * member, c a score, u an ID of an entry */
static const struct draw_form forms[] = {
    { "GET k", 8, 0, 0 },
    { "SET k v", 8, 0, 0 },
    { "SET k i", 5, 0, 0 },
    { "SET k f", 3, 0, 0 },
    { "SET k v GET", 2, 0, 0 },
    { "SET k v NX", 2, 0, 0 },
    { "SET k v XX", 2, 0, 0 },
    { "SET k v NX GET", 1, 0, 0 },
    { "SET k v KEEPTTL", 2, 0, 0 },
    { "SET k v EX s", 2, 0, 0 },
    { "SET k v PX m NX", 1, 0, 0 },
    { "SET k v EXAT a", 1, 0, 0 },
    { "SET k v PXAT b XX GET", 1, 0, 0 },
    { "SET k v PXAT p", 1, 0, 0 },
    { "SETNX k v", 2, 0, 0 },
    { "SETEX k s v", 1, 0, 0 },
    { "PSETEX k m v", 1, 0, 0 },
    { "GETSET k v", 2, 0, 0 },
    { "GETDEL k", 2, 0, 0 },
    { "GETEX k", 1, 0, 0 },
    { "GETEX k PERSIST", 1, 0, 0 },
    { "GETEX k EX s", 1, 0, 0 },
    { "GETEX k PXAT b", 1, 0, 0 },
    { "GETEX k PXAT p", 1, 0, 0 },
    { "MGET k j j", 2, 0, 0 },
    { "MSET k v j w", 2, 0, 0 },
    { "MSETNX k v j w", 2, 0, 0 },
    { "MGET k k", 1, 0, 0 },
    { "INCR k", 4, 0, 0 },
    { "DECR k", 3, 0, 0 },
    { "INCRBY k i", 4, 0, 0 },
    { "DECRBY k i", 3, 0, 0 },
    { "INCRBYFLOAT k f", 3, 0, 0 },
    { "INCRBYFLOAT k i", 1, 0, 0 },
    { "APPEND k w", 4, 0, 0 },
    { "APPEND k i", 1, 0, 0 },
    { "STRLEN k", 3, 0, 0 },
    { "GETRANGE k o o", 3, 0, 0 },
    { "SUBSTR k o o", 1, 0, 0 },
    { "SETRANGE k o w", 3, 0, 0 },
    { "LCS k j", 1, 0, 0 },
    { "LCS k j LEN", 1, 0, 0 },
    { "LCS k j IDX WITHMATCHLEN MINMATCHLEN o", 1, 0, 0 },
    { "SETBIT k n x", 5, 0, 0 },
    { "GETBIT k n", 3, 0, 0 },
    { "BITCOUNT k", 2, 0, 0 },
    { "BITCOUNT k o o", 2, 0, 0 },
    { "BITCOUNT k o o BIT", 2, 0, 0 },
    { "BITPOS k x", 1, 0, 0 },
    { "BITPOS k x o", 1, 0, 0 },
    { "BITPOS k x o o", 1, 0, 0 },
    { "BITPOS k x o o BIT", 2, 0, 0 },
    { "BITOP AND k j j", 1, 0, 0 },
    { "BITOP OR k j j j", 1, 0, 0 },
    { "BITOP XOR j k j", 1, 0, 0 },
    { "BITOP NOT k j", 1, 0, 0 },
    { "BITFIELD k GET y n", 2, 0, 0 },
    { "BITFIELD_RO k GET y n GET y n", 2, 0, 0 },
    { "BITFIELD k SET y n i GET y n", 2, 0, 0 },
    { "BITFIELD k INCRBY y n i", 3, 0, 0 },
    { "BITFIELD k OVERFLOW SAT SET y n i INCRBY y n i", 2, 0, 0 },
    { "BITFIELD k OVERFLOW FAIL INCRBY y n i SET y n i", 2, 0, 0 },
    { "PFADD k w w", 3, 0, 0 },
    { "PFADD k w i o v w f", 3, 0, 0 },
    { "PFADD k", 1, 0, 0 },
    { "PFCOUNT k", 3, 0, 0 },
    { "PFCOUNT k j j", 2, 0, 0 },
    { "PFMERGE k j j", 2, 0, 0 },
    { "PFMERGE k", 1, 0, 0 },
    { "PFDEBUG DECODE k", 1, 0, 0 },
    { "PFDEBUG TODENSE k", 1, 0, 0 },
    { "EXISTS k j", 2, 0, 0 },
    { "DEL k", 2, 0, 0 },
    { "DEL k j", 1, 0, 0 },
    { "UNLINK k", 1, 0, 0 },
    { "TOUCH k j", 1, 0, 0 },
    { "TYPE k", 1, 0, 0 },
    { "RENAME k j", 2, 0, 0 },
    { "RENAMENX k j", 1, 0, 0 },
    { "COPY k j", 1, 0, 0 },
    { "COPY k j REPLACE", 2, 0, 0 },
    { "RENAME k k", 1, 0, 0 },
    { "MGET k w", 1, 0, 0 },
    { "OBJECT ENCODING k", 2, 0, 0 },
    { "EXPIRE k s", 2, 0, 0 },
    { "EXPIRE k s NX", 1, 0, 0 },
    { "EXPIRE k s XX", 1, 0, 0 },
    { "EXPIRE k s GT", 1, 0, 0 },
    { "EXPIRE k s LT", 1, 0, 0 },
    { "PEXPIRE k m", 1, 0, 0 },
    { "EXPIREAT k a", 1, 0, 0 },
    { "PEXPIREAT k b", 1, 0, 0 },
    { "PEXPIREAT k b GT", 1, 0, 0 },
    { "PEXPIREAT k p", 1, 0, 0 },
    { "EXPIRE k e", 1, 0, 0 },
    { "PERSIST k", 2, 0, 0 },
    { "TTL k", 1, 1, 1 },
    { "PTTL k", 1, 1, 1 },
    { "EXPIRETIME k", 1, 1, 1 },
    { "PEXPIRETIME k", 1, 1, 1 },
    { "MULTI", 2, 0, 0 },
    { "EXEC", 3, 0, 0 },
    { "DISCARD", 1, 0, 0 },
    { "WATCH k", 1, 0, 0 },
    { "UNWATCH", 1, 0, 0 },
    { "PING w", 1, 0, 0 },
    { "ECHO v", 1, 0, 0 },
    { "CLUSTER KEYSLOT v", 1, 0, 0 },
    { "CLUSTER COUNTKEYSINSLOT 0", 1, 0, 0 },
    { "NOSUCH k v", 1, 0, 0 },
    { "HSET h d v", 6, 0, 0 },
    { "HSET h d w d i d w", 4, 0, 0 },
    { "HMSET h d w d w", 1, 0, 0 },
    { "HSET k d v", 1, 0, 0 },
    { "HSETNX h d w", 2, 0, 0 },
    { "HGET h d", 4, 0, 0 },
    { "HMGET h d d d", 2, 0, 0 },
    { "HGETALL h", 2, DRAW_PAIRS, 1 },
    { "HKEYS h", 1, DRAW_UNORDERED, 1 },
    { "HVALS h", 1, DRAW_UNORDERED, 1 },
    { "HLEN h", 2, 0, 0 },
    { "HEXISTS h d", 2, 0, 0 },
    { "HSTRLEN h d", 1, 0, 0 },
    { "HDEL h d", 3, 0, 0 },
    { "HDEL h d d d d d d", 2, 0, 0 },
    { "HINCRBY h d i", 3, 0, 0 },
    { "HINCRBYFLOAT h d f", 3, 0, 0 },
    { "HRANDFIELD h 1000", 1, DRAW_UNORDERED, 1 },
    { "HSCAN h 0 COUNT 1000", 1, DRAW_DEEP, 1 },
    { "HSCAN h 0 MATCH *1* COUNT 1000", 1, DRAW_DEEP, 1 },
    { "OBJECT ENCODING h", 3, 0, 0 },
    { "DEL h", 1, 0, 0 },
    { "RENAME h h", 1, 0, 0 },
    { "COPY h h REPLACE", 1, 0, 0 },
    { "EXPIRE h s", 1, 0, 0 },
    { "TYPE h", 1, 0, 0 },
    { "XADD q u d w", 8, 0, 0 },
    { "XADD q u d i d w", 4, 0, 0 },
    { "XADD q MAXLEN o u d w", 1, 0, 0 },
    { "XADD q MAXLEN ~ 6 u d w", 2, 0, 0 },
    { "XADD q MINID u u d w", 1, 0, 0 },
    { "XADD q NOMKSTREAM u d d", 1, 0, 0 },
    { "XADD k u d w", 1, 0, 0 },
    { "XLEN q", 2, 0, 0 },
    { "XRANGE q - +", 2, 0, 0 },
    { "XRANGE q u u", 2, 0, 0 },
    { "XRANGE q u + COUNT o", 1, 0, 0 },
    { "XREVRANGE q + -", 2, 0, 0 },
    { "XREVRANGE q u u COUNT 3", 1, 0, 0 },
    { "XDEL q u", 5, 0, 0 },
    { "XDEL q u u u", 2, 0, 0 },
    { "XTRIM q MAXLEN 7", 1, 0, 0 },
    { "XTRIM q MAXLEN ~ 3", 1, 0, 0 },
    { "XTRIM q MINID u", 1, 0, 0 },
    { "XTRIM q MINID ~ u LIMIT 3", 1, 0, 0 },
    { "XSETID q u", 1, 0, 0 },
    { "XREAD COUNT 3 STREAMS q u", 2, 0, 0 },
    { "XREAD STREAMS q q u 0", 1, 0, 0 },
    { "XGROUP CREATE q g1 u MKSTREAM", 2, 0, 0 },
    { "XGROUP CREATE q g2 $", 1, 0, 0 },
    { "XGROUP CREATE q g2 u ENTRIESREAD 3", 1, 0, 0 },
    { "XGROUP SETID q g1 u", 1, 0, 0 },
    { "XGROUP SETID q g1 0", 1, 0, 0 },
    { "XGROUP DESTROY q g1", 1, 0, 0 },
    { "XGROUP DESTROY q g2", 1, 0, 0 },
    { "XGROUP DELCONSUMER q g1 c1", 1, 0, 0 },
    { "XREADGROUP GROUP g1 c1 COUNT 3 STREAMS q >", 4, 0, 0 },
    { "XREADGROUP GROUP g1 c2 STREAMS q >", 2, 0, 0 },
    { "XREADGROUP GROUP g2 c1 COUNT 2 NOACK STREAMS q >", 2, 0, 0 },
    { "XREADGROUP GROUP g1 c1 STREAMS q 0", 1, 0, 0 },
    { "XREADGROUP GROUP g1 c2 COUNT 2 STREAMS q u", 1, 0, 0 },
    { "XACK q g1 u u u", 4, 0, 0 },
    { "XACK q g2 u", 1, 0, 0 },
    { "XPENDING q g1", 2, 0, 0 },
    { "XCLAIM q g1 c1 0 u u u", 2, 0, 0 },
    { "XCLAIM q g1 c2 0 u JUSTID FORCE", 2, 0, 0 },
    { "XCLAIM q g1 c2 0 u RETRYCOUNT 3 LASTID u", 1, 0, 0 },
    { "XAUTOCLAIM q g1 c2 0 0 COUNT 3", 2, 0, 0 },
    { "XAUTOCLAIM q g1 c1 0 u JUSTID", 1, 0, 0 },
    { "XINFO STREAM q", 3, 0, 0 },
    { "SADD t d", 5, 0, 0 },
    { "SADD t d d d d", 4, 0, 0 },
    { "SADD k d", 1, 0, 0 },
    { "SADD h d", 1, 0, 0 },
    { "SREM t d", 3, 0, 0 },
    { "SREM t d d d d d d", 2, 0, 0 },
    { "SISMEMBER t d", 3, 0, 0 },
    { "SMISMEMBER t d d d", 1, 0, 0 },
    { "SCARD t", 2, 0, 0 },
    { "SMEMBERS t", 2, DRAW_UNORDERED, 1 },
    { "SMOVE t t d", 3, 0, 0 },
    { "SPOP t 1000", 1, DRAW_UNORDERED, 1 },
    { "SPOP t 0", 1, 0, 0 },
    { "SRANDMEMBER t 1000", 1, DRAW_UNORDERED, 1 },
    { "SINTER t t", 2, DRAW_UNORDERED, 1 },
    { "SINTER t t t", 1, DRAW_UNORDERED, 1 },
    { "SINTERCARD 2 t t", 1, 0, 0 },
    { "SINTERCARD 2 t t LIMIT o", 1, 0, 0 },
    { "SINTERSTORE t t t", 2, 0, 0 },
    { "SUNION t t", 1, DRAW_UNORDERED, 1 },
    { "SUNIONSTORE t t t", 2, 0, 0 },
    { "SUNIONSTORE t h t", 1, 0, 0 },
    { "SDIFF t t", 1, DRAW_UNORDERED, 1 },
    { "SDIFF t t t t", 1, DRAW_UNORDERED, 1 },
    { "SDIFFSTORE t t t", 1, 0, 0 },
    { "SDIFFSTORE t t t t t", 1, 0, 0 },
    { "SSCAN t 0 COUNT 1000", 1, DRAW_DEEP, 1 },
    { "OBJECT ENCODING t", 4, 0, 0 },
    { "DEL t", 1, 0, 0 },
    { "RENAME t t", 1, 0, 0 },
    { "COPY t t REPLACE", 1, 0, 0 },
    { "LPUSH l v", 4, 0, 0 },
    { "RPUSH l v w i f", 4, 0, 0 },
    { "LPUSH l w w w i d d", 4, 0, 0 },
    { "RPUSH l d d d d d d d d", 4, 0, 0 },
    { "RPUSH l v v", 2, 0, 0 },
    { "LPUSHX l w", 1, 0, 0 },
    { "RPUSHX l d i", 1, 0, 0 },
    { "LPUSH k w", 1, 0, 0 },
    { "LPOP l", 3, 0, 0 },
    { "RPOP l", 3, 0, 0 },
    { "LPOP l o", 1, 0, 0 },
    { "RPOP l o", 1, 0, 0 },
    { "LPOP k", 1, 0, 0 },
    { "LLEN l", 2, 0, 0 },
    { "LLEN k", 1, 0, 0 },
    { "LINDEX l o", 2, 0, 0 },
    { "LRANGE l o o", 2, 0, 0 },
    { "LRANGE l 0 -1", 1, 0, 0 },
    { "LSET l o v", 2, 0, 0 },
    { "LSET l o w", 2, 0, 0 },
    { "LINSERT l BEFORE d w", 2, 0, 0 },
    { "LINSERT l AFTER d v", 2, 0, 0 },
    { "LINSERT l w d w", 1, 0, 0 },
    { "LREM l o d", 2, 0, 0 },
    { "LREM l 0 i", 1, 0, 0 },
    { "LTRIM l o o", 1, 0, 0 },
    { "LTRIM l 1 -2", 1, 0, 0 },
    { "LTRIM l 0 60", 1, 0, 0 },
    { "LPOS l d", 2, 0, 0 },
    { "LPOS l d RANK o COUNT o", 1, 0, 0 },
    { "LPOS l d RANK -1 COUNT 0 MAXLEN o", 1, 0, 0 },
    { "LMOVE l l LEFT RIGHT", 2, 0, 0 },
    { "LMOVE l l RIGHT RIGHT", 1, 0, 0 },
    { "LMOVE l l LEFT w", 1, 0, 0 },
    { "LMOVE l k LEFT LEFT", 1, 0, 0 },
    { "RPOPLPUSH l l", 2, 0, 0 },
    { "LMPOP 2 l l LEFT", 1, 0, 0 },
    { "LMPOP 2 l l RIGHT COUNT o", 1, 0, 0 },
    { "LMPOP o l l LEFT", 1, 0, 0 },
    { "BLPOP l l 0.001", 1, 0, 0 },
    { "BRPOP l l 0.001", 1, 0, 0 },
    { "BLMOVE l l LEFT RIGHT 0.001", 1, 0, 0 },
    { "BRPOPLPUSH l l 0.001", 1, 0, 0 },
    { "BLMPOP 0.001 2 l l LEFT COUNT 2", 1, 0, 0 },
    { "SORT l ALPHA", 1, 0, 0 },
    { "SORT l", 1, 0, 0 },
    { "SORT l ALPHA LIMIT o o", 1, 0, 0 },
    { "SORT l ALPHA DESC STORE l", 1, 0, 0 },
    { "SORT l BY nosort LIMIT o o", 1, 0, 0 },
    { "SORT l BY nosort DESC STORE l", 1, 0, 0 },
    { "SORT t ALPHA", 1, 0, 0 },
    { "SORT t BY nosort STORE l", 1, 0, 0 },
    { "SORT_RO l ALPHA", 1, 0, 0 },
    { "OBJECT ENCODING l", 1, 0, 0 },
    { "DEL l", 1, 0, 0 },
    { "RENAME l l", 1, 0, 0 },
    { "COPY l l REPLACE", 2, 0, 0 },
    { "TYPE l", 1, 0, 0 },
    { "ZADD z c d", 6, 0, 0 },
    { "ZADD z c d c d c d", 4, 0, 0 },
    { "ZADD z NX c d", 1, 0, 0 },
    { "ZADD z XX CH c d c d", 2, 0, 0 },
    { "ZADD z GT CH c d", 1, 0, 0 },
    { "ZADD z LT c d c d", 1, 0, 0 },
    { "ZADD z INCR c d", 2, 0, 0 },
    { "ZADD z NX INCR c d", 1, 0, 0 },
    { "ZADD k c d", 1, 0, 0 },
    { "ZINCRBY z c d", 3, 0, 0 },
    { "ZREM z d", 3, 0, 0 },
    { "ZREM z d d d d d", 2, 0, 0 },
    { "ZCARD z", 1, 0, 0 },
    { "ZSCORE z d", 3, 0, 0 },
    { "ZMSCORE z d d d", 1, 0, 0 },
    { "ZRANK z d", 2, 0, 0 },
    { "ZREVRANK z d", 2, 0, 0 },
    { "ZCOUNT z c c", 2, 0, 0 },
    { "ZRANGE z o o", 2, 0, 0 },
    { "ZRANGE z o o WITHSCORES", 2, 0, 0 },
    { "ZRANGE z 0 -1 WITHSCORES", 2, 0, 0 },
    { "ZREVRANGE z o o WITHSCORES", 1, 0, 0 },
    { "ZRANGE z o o REV", 1, 0, 0 },
    { "ZRANGE z c c BYSCORE LIMIT o o", 1, 0, 0 },
    { "ZRANGEBYSCORE z c c WITHSCORES", 2, 0, 0 },
    { "ZRANGEBYSCORE z -inf c LIMIT o o", 1, 0, 0 },
    { "ZREVRANGEBYSCORE z c -inf WITHSCORES LIMIT o o", 1, 0, 0 },
    { "ZREMRANGEBYRANK z o o", 1, 0, 0 },
    { "ZREMRANGEBYSCORE z c c", 1, 0, 0 },
    { "ZADD r 0 d 0 d", 3, 0, 0 },
    { "ZLEXCOUNT r - +", 1, 0, 0 },
    { "ZLEXCOUNT r [m1 (m7", 1, 0, 0 },
    { "ZRANGEBYLEX r [1 [m5", 1, 0, 0 },
    { "ZREVRANGEBYLEX r [m7 (2 LIMIT o o", 1, 0, 0 },
    { "ZREMRANGEBYLEX r [1 (4", 1, 0, 0 },
    { "ZPOPMIN z", 1, 0, 0 },
    { "ZPOPMAX z", 1, 0, 0 },
    { "ZPOPMIN z o", 1, 0, 0 },
    { "ZMPOP 2 z z MIN", 1, 0, 0 },
    { "ZMPOP 1 z MAX COUNT o", 1, 0, 0 },
    { "BZPOPMIN z 0.001", 1, 0, 1 },
    { "ZRANGESTORE z z o o", 1, 0, 0 },
    { "ZRANGESTORE z z c c BYSCORE", 1, 0, 0 },
    { "ZUNIONSTORE z 2 z z", 2, 0, 0 },
    { "ZUNIONSTORE z 3 z t z WEIGHTS 1 2 -0.5 AGGREGATE MAX", 2, 0, 0 },
    { "ZINTERSTORE z 2 z z AGGREGATE MIN", 1, 0, 0 },
    { "ZINTERSTORE z 2 z t", 1, 0, 0 },
    { "ZDIFFSTORE z 2 z z", 1, 0, 0 },
    { "ZUNION 2 z t WITHSCORES", 1, 0, 0 },
    { "ZINTER 2 z z WITHSCORES", 1, 0, 0 },
    { "ZDIFF 2 z t WITHSCORES", 1, 0, 0 },
    { "ZINTERCARD 2 z z LIMIT o", 1, 0, 0 },
    { "ZRANDMEMBER z 1000 WITHSCORES", 1, 0, 0 },
    { "ZSCAN z 0 COUNT 1000", 1, DRAW_DEEP, 1 },
    { "OBJECT ENCODING z", 4, 0, 0 },
    { "OBJECT ENCODING r", 1, 0, 0 },
    { "DEL z", 1, 0, 0 },
    { "RENAME z z", 1, 0, 0 },
    { "COPY z z REPLACE", 1, 0, 0 },
    { "EXPIRE z s", 1, 0, 0 },
    { "GEOADD z 13.36 38.11 d -70.5 c d", 2, 0, 0 },
    { "GEOPOS z d d", 1, 0, 0 },
    { "GEOHASH z d d", 1, 0, 0 },
    { "GEODIST z d d km", 1, 0, 0 },
    { "GEOSEARCH z FROMMEMBER d BYRADIUS 2000 km", 1, 0, 0 },
    { "EVAL return{redis.call('get',KEYS[1]),ARGV} 1 k v", 2, 0, 0 },
    { "EVAL return(redis.call('set',KEYS[1],ARGV[1])) 1 k v", 2, 0, 0 },
    { "EVAL return(redis.pcall('incrby',KEYS[1],ARGV[1])) 1 k i", 2, 0, 0 },
    { "EVAL redis.call('append',KEYS[1],ARGV[1])redis.call('incr',KEYS[2]) 2 k j w", 2, 0, 0 },
    { "EVAL return(redis.call('mget',unpack(KEYS))) 2 k j", 1, 0, 0 },
    { "EVAL redis.call('del',KEYS[1])return(redis.call('exists',unpack(KEYS))) 2 k j", 1, 0, 0 },
    { "EVAL_RO return(redis.call('strlen',KEYS[1])) 1 k", 1, 0, 0 },
};

/* What the server chooses, and times that run out while the test runs: only the outcome can be
 * compared, between those that have it from one primary. */
static const struct draw_form forms_by_chance[] = {
    { "SPOP t", 2, DRAW_CHANCE, 0 },
    { "SPOP t 3", 2, DRAW_CHANCE, 0 },
    { "SRANDMEMBER t", 2, DRAW_CHANCE, 0 },
    { "HRANDFIELD h", 2, DRAW_CHANCE, 0 },
    { "XADD q * d w d v", 2, DRAW_CHANCE, 0 },
    { "XADD q MAXLEN ~ 50 * d w", 2, DRAW_CHANCE, 0 },
    { "XADD q MAXLEN = 30 * d w", 2, DRAW_CHANCE, 0 },
    { "XADD q NOMKSTREAM * d w", 2, DRAW_CHANCE, 0 },
    { "XADD q MINID ~ u * d w", 2, DRAW_CHANCE, 0 },
    { "XTRIM q MAXLEN ~ 10 LIMIT 5", 2, DRAW_CHANCE, 0 },
    { "XREADGROUP GROUP g1 c1 COUNT 5 STREAMS q >", 2, DRAW_CHANCE, 0 },
    { "XREADGROUP GROUP g2 c3 NOACK STREAMS q >", 2, DRAW_CHANCE, 0 },
    { "XAUTOCLAIM q g1 c2 0 0 COUNT 10", 2, DRAW_CHANCE, 0 },
    { "XCLAIM q g1 c9 0 u u IDLE 5000", 2, DRAW_CHANCE, 0 },
    { "XGROUP CREATE q g1 0 MKSTREAM", 2, DRAW_CHANCE, 0 },
    { "XGROUP CREATECONSUMER q g1 c5", 2, DRAW_CHANCE, 0 },
    { "XREADGROUP GROUP g1 c1 BLOCK 20 STREAMS q >", 2, DRAW_CHANCE, 0 },
    { "SET k v PX 700", 2, DRAW_CHANCE, 0 },
    { "PEXPIRE h 600", 2, DRAW_CHANCE, 0 },
    { "PEXPIRE z 500", 2, DRAW_CHANCE, 0 },
    { "PEXPIRE q 900", 2, DRAW_CHANCE, 0 },
    { "PEXPIRE l 800", 2, DRAW_CHANCE, 0 },
    { "PEXPIRE t 700", 2, DRAW_CHANCE, 0 },
    { "GETEX k PX 500", 2, DRAW_CHANCE, 0 },
    { "EXPIRE k 1", 2, DRAW_CHANCE, 0 },
    { "HINCRBYFLOAT h d 0.1", 2, DRAW_CHANCE, 0 },
    { "INCRBYFLOAT k 3.3", 2, DRAW_CHANCE, 0 },
    { "ZINCRBY z 0.1 d", 2, DRAW_CHANCE, 0 },
    { "BLPOP l l 0.02", 2, DRAW_CHANCE, 0 },
    { "BLMOVE l l LEFT RIGHT 0.02", 2, DRAW_CHANCE, 0 },
    { "BZPOPMIN z z 0.02", 2, DRAW_CHANCE, 0 },
    { "BZMPOP 0.02 2 z z MAX COUNT 2", 2, DRAW_CHANCE, 0 },
    { "BLMPOP 0.02 2 l l RIGHT COUNT 3", 2, DRAW_CHANCE, 0 },
    { "LMPOP 2 l l LEFT COUNT 3", 2, DRAW_CHANCE, 0 },
    { "ZMPOP 2 z z MAX COUNT 3", 2, DRAW_CHANCE, 0 },
    { "SORT t ALPHA STORE l", 2, DRAW_CHANCE, 0 },
    { "SORT z BY nosort STORE l", 2, DRAW_CHANCE, 0 },
    { "GEOSEARCHSTORE z z FROMLONLAT 10 40 BYRADIUS 5000 km", 2, DRAW_CHANCE, 0 },
    { "GEOSEARCHSTORE z z FROMLONLAT 10 40 BYRADIUS 5000 km STOREDIST", 2, DRAW_CHANCE, 0 },
    { "COPY z h REPLACE", 2, DRAW_CHANCE, 0 },
    { "COPY q q REPLACE", 2, DRAW_CHANCE, 0 },
    { "COPY h z REPLACE", 2, DRAW_CHANCE, 0 },
    { "RENAME q q", 2, DRAW_CHANCE, 0 },
    { "RENAME t z", 2, DRAW_CHANCE, 0 },
    { "EVAL redis.call('spop',KEYS[1])redis.call('xadd',KEYS[2],'*','a',math.random()) 2 t q", 2, DRAW_CHANCE, 0 },
    { "EVAL redis.call('zadd',KEYS[1],redis.call('time')[2],ARGV[1]) 1 z d", 2, DRAW_CHANCE, 0 },
    { "EVAL redis.call('set',KEYS[1],1,'px',300) 1 k", 2, DRAW_CHANCE, 0 },
    { "EVAL redis.call('expire',KEYS[1],1)return(redis.error_reply('x')) 1 z", 2, DRAW_CHANCE, 0 },
    { "HSET h d v d v d v d v", 2, DRAW_CHANCE, 0 },
    { "SADD t d d d d d d", 2, DRAW_CHANCE, 0 },
    { "RPUSH l v v v v", 2, DRAW_CHANCE, 0 },
    { "LTRIM l -40 -1", 2, DRAW_CHANCE, 0 },
    { "PUBLISH c w", 2, DRAW_CHANCE, 0 },
    { "DUMP k", 2, DRAW_CHANCE, 0 },
};

uint64_t draw_next(struct draw *draw)
{
    draw->state ^= draw->state << 13;
    draw->state ^= draw->state >> 7;
    draw->state ^= draw->state << 17;
    return draw->state;
}

static uint64_t below(struct draw *draw, uint64_t limit)
{
    return (draw_next(draw) >> 11) % limit;
}

static const char *const integers[] = { "0", "1", "-1", "7", "-42", "100", "65535", "65536", "-129",
    "2147483648", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "abc",
    "1.5", "007", "-0", "+5", "" };
static const char *const no_times[] = { "0", "-1", "-9223372036854775808", "9223372036854775807",
    "9223372036854775", "1.5", "abc", "", "1e3", " 100" };
static const char *const floats[] = { "0.1", "-0.1", "1.5", "3.0e3", "1e10", "5.0e-5", "-2.25",
    "1e300", "123456789.123456789", "10", "nan", "inf", "x", "0.30000000000000004" };
static const char *const offsets[] = { "0", "1", "2", "5", "10", "31", "32", "63", "64", "100",
    "4000", "-1", "-2", "-5", "-100", "536870912", "9223372036854775807", "x" };

static const char *const bit_offsets[] = { "0", "1", "5", "7", "8", "13", "63", "64", "100", "359",
    "360", "#0", "#1", "#7", "4000", "8191", "40000", "-1", "x", "9223372036854775807", "" };
static const char *const bits[] = { "0", "1", "1", "0", "1", "0", "1", "2", "-1", "x" };
static const char *const field_types[] = { "u1", "u4", "u8", "u13", "u32", "u63", "i1", "i5", "i8",
    "i16", "i33", "i64", "u64", "i0", "x8" };

#define ONE_OF(draw, list) (list)[below((draw), sizeof(list) / sizeof(*(list)))]

/* Bytes of any kind, of the lengths at which something changes: in integers' and short strings'
 * forms. */
static void draw_value(struct draw *draw, struct buffer *out, size_t max)
{
    static const size_t lengths[] = { 0, 1, 3, 7, 8, 11, 12, 20, 21, 43, 44, 45, 63, 64, 65, 255,
        256, 1000, 5000 };
    size_t len = ONE_OF(draw, lengths);
    len = len > max ? max : len;
    bool text = below(draw, 3) > 0;
    char start = (char)('a' + below(draw, 26));
    for (size_t i = 0; i < len; i++)
        buffer_append_char(
            out, text ? (char)('a' + (start + i * (i % 7)) % 26) : (char)below(draw, 256));
}

/* Fields and members: few different ones, integers of all widths among them, and some that are too long
 * for a listpack. */
static void draw_member(struct draw *draw, struct buffer *out)
{
    static const char *const wide[] = { "32767", "32768", "-32769", "2147483648",
        "-9223372036854775808", "9223372036854775808", "", "007", "1.5" };
    uint64_t number = below(draw, 400);
    if (number < 280)
        buffer_printf(out, "%d", (int)number % 14 - 3);
    else if (number < 385)
        buffer_printf(out, "m%d", (int)number % 10);
    else if (number < 397)
        buffer_append_text(out, ONE_OF(draw, wide));
    else
        buffer_printf(out, "%0*d", 20 + (int)number % 2, 1);
}

/* Scores: few different ones, so that they tie. */
static void draw_score(struct draw *draw, struct buffer *out)
{
    static const char *const odd[] = { "inf", "-inf", "0.1", "-0", "1e17", "4503599627370497",
        "1e-300", "0.30000000000000004", "nan", "x", "(3", "9223372036854775807" };
    if (below(draw, 12) == 0)
        buffer_append_text(out, ONE_OF(draw, odd));
    else
        buffer_printf(out, "%d%s", (int)below(draw, 30) - 5, below(draw, 3) ? "" : ".5");
}

static void draw_word(struct draw *draw, const char *word, int key, struct buffer *out)
{
    static const char *const tags[] = { "{a}", "{a}", "{b}" };
    switch (word[1] == 0 ? word[0] : 0) {
    case 'k':
        buffer_printf(out, "%s%d", tags[key % 3], key);
        break;
    case 'j':
        buffer_printf(out, "%s%d", tags[key % 3], (int)below(draw, KEYS / 3) * 3 + key % 3);
        break;
    case 'c':
        draw_score(draw, out);
        break;
    case 'h':
    case 'l':
    case 't':
    case 'r':
    case 'z':
        buffer_printf(out, "%s%c%d", tags[key % 3], word[0], (int)below(draw, 4));
        break;
    case 'q':
        buffer_printf(out, "%sq%d", tags[key % 3], (int)below(draw, 4));
        break;
    case 'u': /* now and then a later one, so that there is always one to add */
        draw->last_entry += below(draw, 8) == 0;
        buffer_printf(out, "%d-%d", (int)(draw->last_entry / 3 - below(draw, 12) % (draw->last_entry / 3 + 1)),
            (int)below(draw, 3));
        break;
    case 'd':
        draw_member(draw, out);
        break;
    case 'v':
        draw_value(draw, out, 5000);
        break;
    case 'w':
        draw_value(draw, out, 12);
        break;
    case 'i':
        buffer_append_text(out, ONE_OF(draw, integers));
        break;
    case 'f':
        buffer_append_text(out, ONE_OF(draw, floats));
        break;
    case 'o':
        buffer_append_text(out, ONE_OF(draw, offsets));
        break;
    case 'n':
        buffer_append_text(out, ONE_OF(draw, bit_offsets));
        break;
    case 'x':
        buffer_append_text(out, ONE_OF(draw, bits));
        break;
    case 'y':
        buffer_append_text(out, ONE_OF(draw, field_types));
        break;
    case 'e':
        buffer_append_text(out, ONE_OF(draw, no_times));
        break;
    case 's':
        buffer_printf(out, "%llu", 100000 + (unsigned long long)below(draw, 1000000) * 1000);
        break;
    case 'm':
        buffer_printf(out, "%llu", 100000000 + (unsigned long long)below(draw, 1000000) * 1000000);
        break;
    case 'a':
        buffer_printf(out, "%llu", 4000000000 + (unsigned long long)below(draw, 1000000));
        break;
    case 'b':
        buffer_printf(out, "%llu", 4000000000000 + (unsigned long long)below(draw, 1000000000));
        break;
    case 'p':
        buffer_printf(out, "%llu", 1 + (unsigned long long)below(draw, 1000000000));
        break;
    default:
        buffer_append_text(out, word);
    }
}

static int weight_of(const struct draw_form *list, size_t count)
{
    int total = 0;
    for (size_t i = 0; i < count; i++)
        total += list[i].weight;
    return total;
}

static const struct draw_form *at_weight(const struct draw_form *list, int at)
{
    while (at >= list->weight)
        at -= list++->weight;
    return list;
}

static const struct draw_form *draw_form(struct draw *draw)
{
    int fixed = weight_of(forms, COUNT(forms));
    int total = fixed + (draw->by_chance ? weight_of(forms_by_chance, COUNT(forms_by_chance)) : 0);
    for (;;) {
        int at = (int)below(draw, (uint64_t)total);
        const struct draw_form *form =
            at < fixed ? at_weight(forms, at) : at_weight(forms_by_chance, at - fixed);
        if (!draw->in_multi || !form->not_in_multi)
            return form;
    }
}

size_t draw_form_index(const struct draw_form *form)
{
    bool fixed = form >= forms && form < forms + COUNT(forms);
    return (size_t)(fixed ? form - forms : form - forms_by_chance + (long)COUNT(forms));
}

/* Without its count it would draw by chance. */
static bool needs_count(const struct draw_form *form)
{
    return form->how != DRAW_CHANCE && (strstr(form->words, "RAND") != NULL || strncmp(form->words, "SPOP", 4) == 0);
}

/* A word more makes it a command of Redis 7.2. */
static bool takes_more(const struct draw_form *form)
{
    return strstr(form->words, "RANK z") != NULL;
}

/* One command into the buffer; now and then with a word too many or too few. */
const struct draw_form *draw_command(struct draw *draw, struct buffer *out)
{
    const struct draw_form *form = draw_form(draw);
    char words[128], *rest = NULL;
    struct buffer values[WORDS_MAX] = { 0 };
    size_t count = 0;
    int key = (int)below(draw, KEYS);
    snprintf(words, sizeof(words), "%s", form->words);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        draw_word(draw, word, key, &values[count++]);
    uint64_t odd = below(draw, 60);
    if (odd == 0 && !takes_more(form))
        draw_word(draw, "w", key, &values[count++]);
    size_t sent = odd == 1 && count > 1 && !needs_count(form) ? count - 1 : count;
    resp_write_array(out, sent);
    for (size_t i = 0; i < sent; i++)
        resp_write_bulk(out, buffer_bytes(&values[i]));
    if (strcmp(form->words, "MULTI") == 0 && odd > 0)
        draw->in_multi = true;
    else if (strcmp(form->words, "EXEC") == 0 || strcmp(form->words, "DISCARD") == 0)
        draw->in_multi = odd == 0 && draw->in_multi;
    for (size_t i = 0; i < count; i++)
        buffer_free(&values[i]);
    return form;
}

_Static_assert(COUNT(forms) + COUNT(forms_by_chance) < DRAW_FORMS_MAX, "the forms are counted");
