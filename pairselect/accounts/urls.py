from django.urls import path

from pairselect.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.people, name="people"),
    path("me/password/", views.OwnPassword.as_view(), name="own_password"),
    path("<int:pk>/password/", views.new_password, name="new_password"),
    path("<int:pk>/role/", views.role, name="role"),
    path("<int:pk>/deactivate/", views.deactivate, name="deactivate"),
    path("<int:pk>/reactivate/", views.reactivate, name="reactivate"),
]
