from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from pairselect.accounts.actions import create_person, reset_password
from pairselect.accounts.forms import PersonForm
from pairselect.accounts.roles import admin_required


@require_http_methods(["GET", "POST"])
@admin_required
def people(request: HttpRequest) -> HttpResponse:
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user, password = create_person(
            form.cleaned_data["username"], role=form.cleaned_data["role"]
        )
        _show_password(request, user, password)
        return redirect("accounts:people")
    everybody = User.objects.prefetch_related("groups").order_by("username")
    return render(request, "accounts/people.html", {"form": form, "people": everybody})


@require_POST
@admin_required
def new_password(request: HttpRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User.objects.filter(is_superuser=False), pk=pk)
    _show_password(request, user, reset_password(user))
    return redirect("accounts:people")


def _show_password(request: HttpRequest, user: User, password: str) -> None:
    messages.success(
        request,
        f"The password of {user.username} is {password} — it is shown only this once.",
    )
