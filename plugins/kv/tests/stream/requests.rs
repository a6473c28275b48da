//! What is asked for at random.

/// Requests; capital letters stand for random arguments, see `argument`.
#[allow(dead_code, reason = "kv-streams has its own")]
pub const REQUESTS: &str = "\
get K;get K;set K V;set K V;set K V ex T;set K V px M;set K V nx;set K V xx;set K V get;\
set K V keepttl;set K V exat A;set K V pxat P;set K V O O;set K V O T O;getset K V;setnx K V;\
setex K T V;psetex K M V;setex K J V;mget K K K;mset K V K V;msetnx K V K V;append K V;strlen K;\
getrange K N N;substr K N N;setrange K N V;incr K;decr K;incrby K I;decrby K I;incrbyfloat K F;\
getdel K;getex K;getex K ex T;getex K persist;getex K O T;\
lpush K V;lpush K V V;rpush K V V V;lpushx K V;rpushx K V V;lpop K;rpop K;lpop K N;rpop K N;llen K;\
lrange K N N;lrange K 0 -1;lindex K N;lset K N V;ltrim K N N;rpoplpush K K;lmove K K E E;\
blpop K K 0;brpop K 0;blpop K 100;brpop K W;\
hset K G V;hset K G V G V;hset K G I;hset K G F;hmset K G V G V;hsetnx K G V;hget K G;hget K G;\
hmget K G G V;hgetall K;hgetall K;hkeys K;hvals K;hdel K G;hdel K G G;hlen K;hexists K G;hstrlen K G;\
hincrby K G I;hincrby K G I;hincrbyfloat K G F;hincrbyfloat K G F;hset L G V G V G V;hset L V G V G;\
hgetall L;hincrby L G I;hscan K 0 count 1000;hscan K x;hscan K 0 O V;hscan K 0 match V count 1000;\
hrandfield K 1000;hrandfield K 0;hrandfield K 1000 withvalues;hrandfield K x;\
hrandfield K 9223372036854775807 withvalues;\
object encoding L;\
sadd K G;sadd K G G V;sadd K I I;srem K G;srem K G V;sismember K G;smismember K G V;smembers K;scard K;\
smove K K G;spop K 1000;spop K 0;spop K J;srandmember K 1000;srandmember K 0;srandmember K O;\
sadd S G G V;sadd S I I;srem S G;smove S S G;smembers S;sinter S S;sunion S S S;sdiff S S S;sinter S S S;\
sunionstore S S S;sdiffstore S S S;sinterstore S S S;sunionstore K K S;sinterstore K K S;sdiffstore K K K;\
sinter K K;sunion K K;sdiff K S;sintercard 2 S S;sintercard N S S;sintercard 2 S S limit N;\
sintercard 2 K S O N;sscan S 0 count 1000;sscan K 0 match 1* count 1000;object encoding S;sadd S U U U U U U;\
zadd K X G;zadd Z X G X G;zadd Z X U X U X U X U;zadd Z X G;zadd Z Y X G;zadd Z Y Y X G X G;zadd Z Y Y Y X G;\
zadd Z X V;zincrby Z X G;zincrby K X G;zrem Z G;zrem Z G G;zrem K G;zscore Z G;zmscore Z G G;zcard Z;zrank Z G;\
zrevrank Z G;zpopmin Z;zpopmax Z;zpopmin Z N;zpopmax K N;zrange Z N N;zrange Z 0 -1 withscores;\
zrange Z 0 -1 withscores;zrevrange Z N N withscores;zrange Z X X byscore;zrange Z X X byscore rev limit N N;\
zrange Z - + bylex;zrange Z N N R;zrange Z X X R R;zrange lex B B R R;zrange K 0 -1 O;\
zrangebyscore Z X X;zrangebyscore Z X X withscores limit N N;zrevrangebyscore Z X X;\
zrevrangebyscore Z X X limit N N;zcount Z X X;zcount K X X;zremrangebyrank Z N N;zremrangebyscore Z X X;\
zadd lex 0 G 0 G 0 G;zadd lex 0 U 0 U;zrangebylex lex B B;zrevrangebylex lex B B;zrangebylex lex B B limit N N;\
zlexcount lex B B;zremrangebylex lex B B;zrange lex B B bylex rev;zlexcount L B B;\
zrangestore Z Z N N;zrangestore Z Z X X byscore limit N N;zrangestore Z K 0 -1 O;\
zscan Z 0 count 1000;zscan K 0 count 1000;zrandmember Z 1000;zrandmember Z 1000 withscores;zrandmember Z 0;\
object encoding Z;zunionstore Z 2 Z Z;zinterstore Z 2 Z Z;zdiffstore Z 2 Z Z;zunion 2 Z Z withscores;\
zinter 2 Z Z withscores;zdiff 2 Z Z withscores;zunion 2 Z S weights Q Q aggregate H withscores;\
zinterstore Z 2 Z Z weights Q Q aggregate H;zunionstore K N Z K;zinter 2 Z K aggregate O;zdiff 3 Z S K;\
zdiffstore Z 2 Z Z O;zintercard 2 Z Z limit N;zintercard 2 Z S;zunion N Z Z Z weights Q Q Q;\
zinter 2 S S withscores;\
brpoplpush K K 0;blmove K K E E 0;brpoplpush K K W;blmove K K E E N;\
lcs K K;lcs K K len;lcs K K idx;lcs K K idx minmatchlen N withmatchlen;lcs K K O N;\
lmpop 2 K K left;lmpop 2 K K right count N;lmpop N K E;lmpop 1 K E count N;blmpop 0 2 K K left count 2;\
blmpop W 1 K right;blmpop 0 N K E;zmpop 2 Z Z min;zmpop 2 Z Z max count N;zmpop 1 K min O N;\
bzmpop 0 2 Z Z min count 2;bzmpop W 1 Z max;bzpopmin Z Z 0;bzpopmax Z 0;bzpopmin K Z 0;bzpopmax Z W;\
ssubscribe C;sunsubscribe C;spublish C V;pubsub shardnumsub C C;pubsub shardchannels x;\
linsert K before V V;linsert K after V V;linsert K O V V;lrem K N V;lpos K V;lpos K V rank N;\
lpos K V count N maxlen N;lpos K V rank N count N;lpos K V O N;rpush K V V V V;\
setbit K D 1;setbit K D 0;setbit K N N;getbit K D;getbit K N;bitcount K;bitcount K N N;bitcount K D D bit;\
bitcount K N N O;bitpos K 1;bitpos K 0;bitpos K N N;bitpos K 1 N N;bitpos K 0 N N bit;bitpos K 0 D D bit;\
bitop and K K K;bitop or K K K;bitop xor K K K;bitop not K K;bitop not K K K;bitop O K K;\
bitfield K get T1 D;bitfield K set T1 D I;bitfield K set u8 #N I get u4 0;bitfield K incrby T1 D I get T1 D;\
bitfield K overflow T2 incrby T1 D I set T1 D I;bitfield K overflow T2 set T1 D I get T1 D;bitfield_ro K get T1 D;bitfield_ro K set u8 0 1;bitfield K O D;\
pfadd P2 V V;pfadd P2 G;pfadd P2 U U U U;pfcount P2;pfcount P2 P2;pfmerge P2 P2 P2;pfcount K;pfmerge P2 K;\
get P2;strlen P2;getrange P2 0 15;pfadd P2 U U U U U U U U U U U U U U U U U U U U;append P2 V;setrange P2 N V;setrange P2 18 V;\
pfdebug getreg P2;pfdebug encoding P2;pfdebug encoding P2;pfdebug decode P2;pfdebug todense P2;pfdebug decode K;pfdebug O P2;\
geoadd Z G1 G2 G;geoadd Z G1 G2 G G1 G2 G;geoadd Z Y G1 G2 G;geoadd K G1 G2 V;geoadd z2 G1 G2 G G1 G2 G G1 G2 G;geopos Z G G;geopos K V;\
geoadd places G1 G2 G;geoadd places G1 G2 G G1 G2 G;geohash places G G;georadiusbymember places G G4 km G5 G5;zrem places G;\
geodist Z G G;geodist Z G G G3;geodist K V V G3;geohash Z G G;geohash K V;\
georadius Z G1 G2 G4 G3;georadius Z G1 G2 G4 G3 G5;georadius Z G1 G2 G4 G3 G5 G5 count N;georadius z2 G1 G2 5000 km asc G5;\
georadius z2 G1 G2 G4 km store Z;georadius Z G1 G2 G4 G3 storedist z1;georadius_ro z2 G1 G2 G4 km G5 G5;georadius K G1 G2 G4 G3 G5;\
georadiusbymember z2 G G4 G3 G5;georadiusbymember Z G G4 km G5 G5;georadiusbymember_ro Z G G4 km G5 count N;georadiusbymember K V G4 G3 store Z;\
geosearch z2 frommember G byradius G4 G3 G5 G5;geosearch z2 fromlonlat G1 G2 byradius G4 km asc;geosearch Z fromlonlat G1 G2 bybox G4 G4 km G5;\
geosearch z2 fromlonlat G1 G2 bybox 9000 4000 km desc withdist;geosearch z2 frommember G bybox G4 G4 G3 asc count N any;geosearch K frommember G byradius G4 G3;\
geosearch z2 G5 G1 G2 G5 G4 G3;geosearchstore Z z2 fromlonlat G1 G2 byradius G4 km;geosearchstore z1 z2 frommember G byradius G4 km storedist;\
geosearchstore K Z fromlonlat G1 G2 bybox G4 G4 km asc count N;zrange z2 0 -1 withscores;\
del P2;del K;del K K;unlink K K;exists K K K;touch K K;type K;rename K K;renamenx K K;copy K K;copy K K O;\
copy K K db N replace;move K N;dbsize;flushdb;flushall O;select N;object encoding K;\
object O K;\
expire K T;pexpire K M;expireat K A;pexpireat K P;expire K T O;expire K T O O;pexpire K J;expire K I;\
ttl K;pttl K;expiretime K;pexpiretime K;persist K;expire K J;\
sort K;sort K alpha;sort K desc;sort K limit N N;sort K alpha desc limit N N;sort S alpha;\
sort K by K* get # get K;sort K alpha store K;sort S store K;sort_ro z9;sort_ro z9 by nosort desc;zadd z9 X G X G;sort_ro z9 alpha;sort K O N;\
swapdb N N;auth V;auth default V;wait 0 W;wait 0 N;wait N 100000;wait N 0;script exists V;fcall V N;evalsha V N;\
multi;multi;exec;exec;discard;watch K;watch K K;unwatch;\
subscribe C;unsubscribe C;psubscribe c*;punsubscribe c*;publish C V;publish C V;pubsub numsub C C;\
pubsub numpat;pubsub O;pubsub channels x;\
ping;ping V;echo V;hello 4;hello x;client setname V;client getname;client O;client O V;\
client tracking on;client tracking off;client tracking on noloop;client tracking on optin;client caching yes;client tracking on optout;client caching no;client tracking on O;\
restore K 0 V;restore K J V;restore K T V O;restore-asking K J V;restore K 0 V replace O N;dump none;memory purge;memory usage none;memory usage none O N;\
client trackinginfo;client getredir;client no-evict V;client unblock -5 O;client unblock x;acl whoami;acl users;acl cat V;acl V;\
reset;command count V;config O;config set V;config get nothing;nosuchcommand V V;\
keys *;keys K;keys [a-c];keys V;randomkey V;object freq K;object idletime L;set rc N;object refcount rc;\
script flush;script flush V;script kill;script debug no;script debug V;function flush;function list;function stats;function dump;failover;failover abort;failover to V I;failover to V 6379 force timeout N;failover O;failover timeout I;function kill;function delete V;\
slowlog get N;slowlog len;slowlog reset;slowlog get V;latency history V;latency graph V;latency latest;latency reset;\
client no-evict on;client no-evict V;client pause N;client pause 0;client unpause;client reply on;client reply V;\
config resetstat;config rewrite;command getkeys get K;command getkeys V;command getkeysandflags set K V O;command getkeysandflags sort K by K* store K;\
command getkeysandflags lmpop N K K left;command getkeysandflags V V V;\
readonly;readwrite;asking;module list;\
set K V O O O T;getrange K I I;substr K N N;setrange K I V;lrange K I I;ltrim K I I;lrem K I V;lindex K I;lset K I V;\
lpos K V rank I;lpos K V count I;lpos K V maxlen I;lpop K I;rpop K I;linsert K V V V;lmpop 1 K left count I;\
zrange Z I I;zrevrange Z I I;zremrangebyrank Z I I;zrangebyscore Z X X limit I I;zrange Z N N byscore limit I I;\
zrange Z X X byscore withscores;zrangebylex lex B B limit I I;zpopmin Z I;zpopmax Z I;zmpop 1 Z min count I;zintercard 2 Z Z limit I;\
zrangestore Z lex B B bylex;zrangestore Z lex B B bylex rev limit N N;zunionstore Z 3 Z S lex;zadd Z Y Y Y Y X G;\
zrank Z V;zscore Z V;zmscore Z V;zincrby Z I G;sort K limit I I;sort Z desc limit N N;\
sort z9 by nosort limit I I;sort z9 by nosort desc limit N N;rpush q V V;sort q by nosort desc;sort q by nosort limit N N;sort K by K*->G;sort K get l*->f0 get #;sort S by s* alpha;sort z9 by nosort get # store K;\
bitcount K I I;bitcount K I I bit;bitpos K 1 I I;bitpos K 0 I;setbit K I 1;getbit K I;\
bitfield K get u8 D get i8 #N incrby u8 D I overflow T2 incrby i8 D I;bitfield K overflow T2;\
copy K K db I;select I;move K I;swapdb I I;expireat K I;pexpireat K J;sintercard I S S;sintercard 2 S S limit I;\
rename Z Z;rename S K;rename K Z;rename P2 K;renamenx L L;renamenx Z K;copy Z Z;copy Z Z replace;copy L L replace;copy S S;\
copy P2 P2 replace;del Z;del S;del L;del Z Z S S;unlink Z L;expire Z T;ttl Z;persist Z;type Z;set Z V;lpush Z V;hset Z G V;sadd Z G;\
move Z N;getdel Z;client reply skip;client reply off;client reply on;client reply on;client tracking on bcast;\
client tracking on bcast prefix a;client tracking on bcast noloop;client tracking on bcast optin;client tracking on prefix a;\
hello 3 O;hello 2 O V;lcs K K idx withmatchlen;lcs K K idx len;geohash z2 G G;geopos z2 G G V;geosearch z2 frommember G byradius G4 G3 count I;\
smove S K G;sdiffstore S S K;sinterstore K S S;msetnx K V K V K V;hincrbyfloat L G F;hsetnx L G V;hmget L G G;hdel L G G G;hstrlen L G;\
scan x;scan 0 O;scan 0 match nothing count 1000;scan 0 count x";
