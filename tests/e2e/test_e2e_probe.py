import time
def test_probe(project, ask, rows, capsys):
    p = project()
    for words in (["stack","check"],["run","--until","review"],["run","--until","review"],["run"],["undeploy"]):
        t=time.time(); s=p(*words)
        with capsys.disabled(): print(words, time.time()-t); print(s.out, s.err)
